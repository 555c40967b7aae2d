/** Several overlays in one agent, and one that floods to a multicast group, taken over. */
import { afterEach, expect, it } from "vitest";
import { Cluster } from "../../../src/lab/cluster.ts";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { Bridged, ping } from "../bridged.ts";
import { Pinger } from "../traffic/ping.ts";

let destroy: (() => void) | undefined;
afterEach(() => destroy?.());

const VNIS = [100, 150, 200];

describeWith([lab(), tool("ping")], "three VNIs in one agent with two queues", () => {
  it("lose no ping in three take-overs, and keep their rows and counters apart", async () => {
    const cluster = Cluster.build({
      nodes: [
        { name: "node-p", kind: "poplin" },
        { name: "node-k", kind: "kernel" },
      ],
    });
    destroy = () => cluster.destroy();
    const [node, kernel] = [cluster.poplin("node-p"), cluster.node("node-k")];
    const [local, remote] = [node.plan.address, kernel.plan.address];
    const overlays = VNIS.map((vni) => ({ vni, device: `t${vni}`, remote, mtu: 1430 }));
    node.config = { local, socket: node.socket, queues: 2, learning: true, overlays, peers: [] };
    node.setPeers([]);
    await node.startAgent();
    for (const [i, vni] of VNIS.entries()) {
      node.host.ip(`addr add 10.${vni}.0.1/24 dev t${vni}`);
      kernel.host.ip(
        `link add t${vni} mtu 1430 type vxlan id ${vni} dev eth0 local ${remote} remote ${local} dstport 8472`,
        `link set t${vni} address 02:99:00:00:00:0${i}`,
        `link set t${vni} up`,
        `addr add 10.${vni}.0.2/24 dev t${vni}`,
      );
    }
    const pings = VNIS.map((vni) => new Pinger(node.host, `10.${vni}.0.2`, { interval: 0.005 }));
    await Promise.all(pings.map((one) => one.next()));
    const counted = () => Promise.all(VNIS.map((vni) => node.client.stats({ vni })));
    const rows = async () =>
      (await node.client.fdb()).map(({ vni, mac, dst, state }) => [vni, mac, dst, state]);
    const [before, rowsBefore] = [await counted(), await rows()];
    for (let i = 0; i < 3; i++) {
      expect(await node.takeOver()).toBe(0);
      await Promise.all(pings.map((one) => one.next()));
    }
    const after = await counted();
    expect((await rows()).sort()).toEqual(rowsBefore.sort());
    for (const [i, one] of pings.entries()) {
      const { lost, duplicates, received } = await one.stop();
      expect({ lost, duplicates }).toEqual({ lost: [], duplicates: 0 });
      expect(after[i]!.txFrames).toBeGreaterThanOrEqual(before[i]!.txFrames);
      expect((await counted())[i]!.rxFrames).toBeGreaterThanOrEqual(received);
    }
    expect((await node.status()).overlays.map(({ device }) => device.name)).toEqual(["t100", "t150", "t200"]);
  });
});

describeWith([lab(), tool("ping"), tool("bridge")], "a device with a multicast group", () => {
  it("is still a member after a take-over: who is asked for in the group is found", async () => {
    const bridged = await Bridged.start({ family: 4, port: 8472, group: "239.1.1.1" });
    destroy = () => bridged.destroy();
    const { p, k, l } = bridged;
    expect(await ping(k, `10.9.0.${p.number}`)).toBe(3);
    expect(await bridged.takeOver()).toBe(0);
    k.station.ip("neigh flush dev eth0");
    await bridged.bridge(k, `fdb del ${p.mac} dev vx100 dst ${p.address}`);
    expect(await ping(k, `10.9.0.${p.number}`)).toBe(3);
    expect(await ping(l, `10.9.0.${p.number}`)).toBe(3);
  });
});
