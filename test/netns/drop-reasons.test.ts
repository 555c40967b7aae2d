/**
 * Each reason for which the kernel's VXLAN drops a packet (`enum skb_drop_reason`), provoked on a VTEP that learns,
 * counted under the kernel's name for it, and told to whoever listens. What came from a VTEP that floods to us is let in;
 * these are not.
 */
import { once } from "node:events";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { StatsAnswer } from "../../src/agent/api/answers.ts";
import type { DropReason } from "../../src/dataplane/drops.ts";
import { outputOf } from "../../src/host/output.ts";
import { POPLIN } from "../../src/lab/agent-process.ts";
import { encode } from "../../src/wire/encode.ts";
import { VXLAN } from "../../src/wire/vxlan.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { concat, ethernet, ipv4, udp } from "../wire/frames.ts";
import { dropsSince, until } from "./agents.ts";
import { Bridged, DEVICE, ping, VNI } from "./bridged.ts";
import { Dropped } from "./dropped.ts";
import { flood } from "./traffic/flood.ts";
import { macNumber, vxlan } from "./traffic/packets.ts";
import { UdpHelper } from "./traffic/udp.ts";

const STATIC = "02:99:00:00:00:55";
const PORT = 8472;

describeWith([lab(), tool("bridge"), tool("ping")], "the kernel's drop reasons", () => {
  let net: Bridged;
  let sender: UdpHelper;
  let dropped: Dropped;
  let before: StatsAnswer;
  beforeAll(async () => {
    net = await Bridged.start({ family: 4, port: PORT });
    sender = new UdpHelper(net.k.host, net.k.address);
    await sender.report();
    await net.client.changeFdb({ op: "add", mac: STATIC, dst: net.l.address });
    before = await net.client.stats();
    dropped = await Dropped.of(net.client);
  });
  afterAll(async () => {
    await dropped?.end();
    net?.destroy();
  });

  /** A UDP datagram between stations, from a MAC, with a TOS. */
  function frame(source: string, tos = 0): Uint8Array {
    const packet = ipv4(17, udp(new Uint8Array(20), {}), { dscp: tos >> 2, ecn: tos & 3 });
    return ethernet(0x0800, packet, { source: macNumber(source), destination: macNumber(net.p.mac) });
  }

  const good = (): Uint8Array => vxlan(frame("02:99:00:00:00:44"), { vni: VNI });

  /** Sends one datagram from host k. */
  const send = (packet: Uint8Array): Promise<void> => sender.send([packet], [PORT, net.p.address]);

  async function ownMac(): Promise<string> {
    return (await net.client.status()).device.mac;
  }

  const INCOMING: readonly (readonly [DropReason, () => Promise<void>])[] = [
    ["PKT_TOO_SMALL", () => send(good().subarray(0, 7))],
    ["VXLAN_INVALID_HDR", () => send(concat(encode(VXLAN, { i: 0, vni: VNI }), good().subarray(8)))],
    ["VXLAN_VNI_NOT_FOUND", () => send(vxlan(good().subarray(8), { vni: VNI + 1 }))],
    ["MAC_INVALID_SOURCE", () => send(vxlan(frame("01:00:5e:00:00:01"), { vni: VNI }))],
    ["MAC_INVALID_SOURCE", () => send(vxlan(frame("00:00:00:00:00:00"), { vni: VNI }))],
    ["LOCAL_MAC", async () => send(vxlan(frame(await ownMac()), { vni: VNI }))],
    ["VXLAN_ENTRY_EXISTS", () => send(vxlan(frame(STATIC), { vni: VNI }))],
  ];

  it.each(INCOMING)("%s", async (reason, act) => {
    const before = await net.client.stats();
    const told = dropped.events.length;
    await act();
    await until(reason, async () => dropsSince(before, await net.client.stats()).rx[reason] === 1);
    expect(dropsSince(before, await net.client.stats()).rx).toEqual({ [reason]: 1 });
    const { remote, header } = await dropped.drop(reason, told);
    expect(remote?.address).toBe(net.k.address);
    if (reason === "VXLAN_VNI_NOT_FOUND") expect(header?.vni).toBe(VNI + 1);
  });

  it("IP_TUNNEL_ECN", async () => {
    const before = await net.client.stats();
    // An outer CE over an inner packet whose ends do not know of it.
    const order = { seconds: 5, seed: 1, from: net.k.address, to: net.p.address, kind: "macs" } as const;
    await flood(net.k.host, { ...order, samples: [good()], most: 1, tos: 3 });
    await until(
      "the drop",
      async () => (dropsSince(before, await net.client.stats()).rx.IP_TUNNEL_ECN ?? 0) > 0,
    );
  });

  it("NO_TX_TARGET, once there is nobody to flood to", async () => {
    for (const { address } of [net.k, net.l]) {
      await net.client.changeFdb({ op: "del", mac: "00:00:00:00:00:00", dst: address });
    }
    const before = await net.client.stats();
    expect(await ping(net.p, "10.9.0.99", 1)).toBe(0);
    await until(
      "the drop",
      async () => (dropsSince(before, await net.client.stats()).tx.NO_TX_TARGET ?? 0) > 0,
    );
    // Who asks, and for whom, in an ARP request that went nowhere.
    expect(dropped.events).toContainEqual(
      expect.objectContaining({
        ...{ direction: "tx", reason: "NO_TX_TARGET", dev: DEVICE, vni: VNI, remote: null },
        packet: expect.objectContaining({ source: `10.9.0.${net.p.number}`, destination: "10.9.0.99" }),
      }),
    );
    // What the settings say comes back with the next look; until then by hand.
    await net.client.changeFdb({ op: "append", mac: "00:00:00:00:00:00", dst: net.k.address });
    expect(await ping(net.p, `10.9.0.${net.k.number}`)).toBe(3);
  });

  it("what was told comes to what was counted", async () => {
    await until("all of it", async () => {
      const { tx, rx } = dropsSince(before, await net.client.stats());
      return isDeepStrictEqual(dropped.sums, { tx, rx });
    });
  });

  it("are lines of `poplin monitor`", async () => {
    const child = net.p.host.spawn(
      process.execPath,
      [POPLIN, "monitor", "--reason", "VXLAN_VNI_NOT_FOUND", "-c", "1"],
      {
        env: { ...process.env, POPLIN_SOCKET: net.client.path },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    const output = outputOf(child);
    const closed = once(child, "close");
    // Nobody says when it listens; what is alike is told twice a second.
    const again = setInterval(() => void send(vxlan(good().subarray(8), { vni: VNI + 1 })), 600);
    try {
      expect(await closed).toEqual([0, null]);
    } finally {
      clearInterval(again);
    }
    expect(output.stdout).toMatch(
      new RegExp(
        `^\\d\\d:\\S+ rx VXLAN_VNI_NOT_FOUND from ${net.k.address}:\\d+ vni ${VNI} dev ${DEVICE} ` +
          `header-vni ${VNI + 1} UDP \\S+ > \\S+ length 62 02:99:00:00:00:44 > ${net.p.mac}\n$`,
      ),
    );
    expect(output.stderr).toMatch(/^1 event shown.*\n {2}1 {2}rx VXLAN_VNI_NOT_FOUND {2}no overlay here/);
  });
});
