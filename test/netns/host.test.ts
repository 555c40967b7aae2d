/**
 * The host plumbing against the kernel: a namespace with an underlay (a veth that leads nowhere) and real TAPs.
 *
 *   ┌ poplin-<id>-host ─────────────────────────────┐
 *   │ underlay 192.168.0.1/24, fd00:10::1/64 (1500) │
 *   │ flannel.1: TAP, persistent, made by each test │
 *   └───────────────────────────────────────────────┘
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { applyPlan, type Executor, type Outcome } from "../../src/control/apply.ts";
import { desiredRows } from "../../src/control/desired.ts";
import { difference, isEmpty } from "../../src/control/difference.ts";
import type { Lease } from "../../src/control/lease.ts";
import type { FdbTarget } from "../../src/control/rows.ts";
import { applyHostSteps } from "../../src/host/apply.ts";
import { runBatch } from "../../src/host/batch.ts";
import { HostError } from "../../src/host/ip.ts";
import {
  type DevicePlan,
  decideDevice,
  deleteLink,
  makeWay,
  planDevices,
  readLink,
} from "../../src/host/link.ts";
import { randomMac } from "../../src/host/mac.ts";
import { removeQueues } from "../../src/host/qdisc.ts";
import { readDevice } from "../../src/host/read.ts";
import { repairLink } from "../../src/host/repair.ts";
import { refuseRouterAdvertisements } from "../../src/host/sysctl.ts";
import { findUplink, type UplinkWish } from "../../src/host/uplink.ts";
import { describeWith, namespaces, tun } from "../helpers/needs.ts";

const DEVICE = "flannel.1";
const OURS = { mac: "0e:2a:00:00:00:01", mtu: 1450 };

const lease = (n: number, more: Partial<Lease> = {}): Lease => ({
  publicIp: `192.168.0.${n}`,
  port: 8472,
  vtepMac: `0e:2a:00:00:00:0${n}`,
  subnets: [`10.244.${n}.0/24`, `fd00:${n}::/64`],
  ...more,
});

describeWith([namespaces(), tun()], "the kernel's tables", () => {
  const netns = `poplin-${randomBytes(4).toString("hex")}-host`;
  const options = { netns };
  /** The dataplane's forwarding table, as a Map. */
  let fdb = new Map<string, FdbTarget>();
  const executor: Executor = {
    host: (steps) => applyHostSteps(DEVICE, steps, options),
    fdb: async (steps) =>
      steps.map(({ op, mac, dst, port }) => {
        if (op === "replace") fdb.set(mac, { mac, dst, port });
        else fdb.delete(mac);
        return null;
      }),
  };

  function ip(...words: string[]): string {
    return execFileSync("ip", ["-n", netns, ...words], { encoding: "utf8" });
  }

  /** Makes way for our device. */
  async function prepare(): Promise<DevicePlan> {
    const [plan] = await planDevices([DEVICE], options);
    await makeWay([plan!], options);
    return plan!;
  }

  function makeTap(...flags: string[]): void {
    ip("tuntap", "add", DEVICE, "mode", "tap", ...flags);
  }

  async function plan(leases: readonly Lease[], addresses: readonly string[]) {
    const state = await readDevice(DEVICE, options);
    const { neighbours, routes, link } = state!;
    const actual = { neighbours, routes, addresses: link.addresses, fdb: [...fdb.values()] };
    return difference(actual, desiredRows(leases, addresses));
  }

  async function bring(leases: readonly Lease[], addresses = ["10.244.1.0/32"]): Promise<Outcome> {
    return applyPlan(await plan(leases, addresses), executor);
  }

  beforeAll(() => {
    execFileSync("ip", ["netns", "add", netns]);
    ip("link", "set", "lo", "up");
    ip("link", "add", "underlay", "type", "veth", "peer", "name", "far");
    ip("addr", "add", "192.168.0.1/24", "dev", "underlay");
    ip("addr", "add", "fd00:10::1/64", "dev", "underlay", "nodad");
    ip("link", "set", "underlay", "up");
    ip("link", "set", "far", "up");
    ip("link", "add", "cni0", "type", "bridge");
    ip("addr", "add", "10.244.1.1/24", "dev", "cni0");
    ip("link", "set", "cni0", "up");
  });
  afterAll(() => {
    execFileSync("ip", ["netns", "del", netns]);
  });
  beforeEach(() => {
    fdb = new Map();
  });
  afterEach(() => deleteLink(DEVICE, options));

  it("a TAP as we make them is taken over; MAC, MTU and state are repaired in place", async () => {
    expect((await prepare()).decision).toEqual({ action: "create" });
    makeTap("multi_queue", "vnet_hdr");
    const { decision, before } = await prepare();
    expect(decision).toEqual({ action: "reuse" });
    expect(before?.tun).toEqual({
      mode: "tap",
      multiQueue: true,
      vnetHeader: true,
      persistent: true,
      packetInfo: false,
      queues: 0,
    });
    const { link, repaired } = await repairLink(DEVICE, OURS, options);
    expect(repaired).toEqual([`address ${OURS.mac} mtu 1450 up`]);
    expect(link).toMatchObject({ mac: OURS.mac, mtu: 1450, up: true, index: before!.index });
    expect((await repairLink(DEVICE, OURS, options)).repaired).toEqual([]);
  });

  it.each([
    ["a single queue", ["vnet_hdr"], /single queue/],
    ["no vnet header", ["multi_queue"], /no vnet header/],
    ["a packet information header", ["multi_queue", "vnet_hdr", "pi"], /packet information/],
  ])("a TAP with %s is deleted, to be made anew", async (_what, flags, reason) => {
    makeTap(...flags);
    ip("addr", "add", "10.244.1.0/32", "dev", DEVICE);
    const { decision, before } = await prepare();
    expect(decision).toEqual({ action: "recreate", reason: expect.stringMatching(reason) });
    expect(before?.addresses).toEqual(["10.244.1.0/32"]);
    expect(await readLink(DEVICE, options)).toBeNull();
  });

  it("flannel's VXLAN device and a TUN of our name make way, a bridge does not", async () => {
    ip("link", "add", DEVICE, "type", "vxlan", "id", "1", "dstport", "8472", "dev", "underlay", "nolearning");
    expect((await prepare()).decision.action).toBe("recreate");
    ip("tuntap", "add", DEVICE, "mode", "tun", "multi_queue", "vnet_hdr");
    expect((await prepare()).decision.action).toBe("recreate");
    ip("link", "add", DEVICE, "type", "bridge");
    await expect(prepare()).rejects.toMatchObject({
      code: "HOST_DEVICE_TAKEN",
      message: "flannel.1 exists, and it is a bridge",
    });
    expect(await readLink(DEVICE, options)).not.toBeNull();
    expect(decideDevice(await readLink("underlay", options)).action).toBe("taken");
    expect(decideDevice(await readLink("lo", options)).action).toBe("taken");
  });

  it("peers get neighbours and routes as flannel sets them, and nothing is left when they go", async () => {
    makeTap("multi_queue", "vnet_hdr");
    await repairLink(DEVICE, OURS, options);
    expect(await bring([lease(2), lease(3)], ["10.244.1.0/32", "fd00:1::/128"])).toMatchObject({
      failures: [],
    });
    expect(JSON.parse(ip("-json", "route", "show", "10.244.2.0/24"))).toEqual([
      { dst: "10.244.2.0/24", gateway: "10.244.2.0", dev: DEVICE, flags: ["onlink", "linkdown"] },
    ]);
    expect(JSON.parse(ip("-json", "-details", "route", "show", "10.244.2.0/24"))[0]).toMatchObject({
      protocol: "boot",
      scope: "global",
    });
    expect(JSON.parse(ip("-json", "-6", "route", "show", "fd00:3::/64"))[0]).toMatchObject({
      gateway: "fd00:3::",
      dev: DEVICE,
    });
    expect(JSON.parse(ip("-json", "neigh", "show", "dev", DEVICE, "nud", "permanent"))).toHaveLength(4);
    expect([...fdb.values()]).toEqual([
      { mac: "0e:2a:00:00:00:02", dst: "192.168.0.2", port: 8472 },
      { mac: "0e:2a:00:00:00:03", dst: "192.168.0.3", port: 8472 },
    ]);
    const state = await readDevice(DEVICE, options);
    expect(state?.link.addresses).toEqual(["10.244.1.0/32", "fd00:1::/128"]);
    expect(isEmpty(await plan([lease(2), lease(3)], ["10.244.1.0/32", "fd00:1::/128"]))).toBe(true);

    expect(await bring([], [])).toMatchObject({ failures: [] });
    expect(await readDevice(DEVICE, options)).toMatchObject({ neighbours: [], routes: [] });
    expect(fdb.size).toBe(0);
  });

  it("single addresses and whole families are peers' subnets, too", async () => {
    makeTap("multi_queue", "vnet_hdr");
    await repairLink(DEVICE, OURS, options);
    const odd = [
      lease(2, { subnets: ["10.99.0.2/32", "fd00:99::2/128"] }),
      lease(3, { subnets: ["172.16.0.0/12"] }),
    ];
    expect(await bring(odd)).toMatchObject({ failures: [] });
    expect(isEmpty(await plan(odd, ["10.244.1.0/32"]))).toBe(true);
  });

  it("what an earlier run left and no lease asks for goes; what is not ours stays", async () => {
    makeTap("multi_queue", "vnet_hdr");
    await repairLink(DEVICE, OURS, options);
    await bring([lease(2), lease(3)], ["10.244.7.0/32"]);
    ip("addr", "add", "172.16.0.1/24", "dev", DEVICE);
    ip("route", "add", "10.9.0.0/24", "via", "10.9.0.0", "dev", DEVICE, "onlink", "proto", "bird");
    ip("route", "add", "10.8.0.0/24", "dev", DEVICE);
    ip("route", "add", "10.7.0.0/24", "via", "192.168.0.9", "dev", "underlay");
    ip("neigh", "add", "192.168.0.9", "lladdr", "0e:2a:00:00:00:99", "nud", "permanent", "dev", "underlay");
    expect(await bring([lease(3)])).toMatchObject({ failures: [] });
    expect(await readDevice(DEVICE, options)).toMatchObject({
      link: { addresses: ["172.16.0.1/24", "10.244.1.0/32"] },
      neighbours: [
        { address: "10.244.3.0", mac: lease(3).vtepMac },
        { address: "fd00:3::", mac: lease(3).vtepMac },
      ],
      routes: [
        { subnet: "10.244.3.0/24", via: "10.244.3.0" },
        { subnet: "fd00:3::/64", via: "fd00:3::" },
      ],
    });
    for (const route of ["10.9.0.0/24", "10.8.0.0/24", "10.7.0.0/24"])
      expect(ip("route", "show", route)).not.toBe("");
    expect(ip("neigh", "show", "192.168.0.9")).not.toBe("");
    ip("route", "del", "10.7.0.0/24");
    ip("neigh", "del", "192.168.0.9", "dev", "underlay");
  });

  it("a peer whose subnet another device has is undone, with the reason; the others get theirs", async () => {
    makeTap("multi_queue", "vnet_hdr");
    await repairLink(DEVICE, OURS, options);
    ip("route", "add", "10.244.2.0/24", "via", "192.168.0.2", "dev", "underlay");
    const { failures } = await bring([lease(2), lease(3)]);
    expect(failures).toEqual([
      {
        lease: lease(2),
        step: { table: "route", op: "add", subnet: "10.244.2.0/24", via: "10.244.2.0" },
        reason: "there is a route to 10.244.2.0/24 already, via 192.168.0.2 dev underlay",
      },
    ]);
    const state = await readDevice(DEVICE, options);
    expect(state?.neighbours.map(({ address }) => address)).toEqual(["10.244.3.0", "fd00:3::"]);
    expect(state?.routes.map(({ subnet }) => subnet)).toEqual(["10.244.3.0/24", "fd00:3::/64"]);
    expect([...fdb.keys()]).toEqual([lease(3).vtepMac]);
    expect(ip("route", "show", "10.244.2.0/24")).toMatch(
      /^10\.244\.2\.0\/24 via 192\.168\.0\.2 dev underlay/,
    );

    ip("route", "del", "10.244.2.0/24", "dev", "underlay");
    expect(await bring([lease(2), lease(3)])).toMatchObject({ failures: [] });
  });

  it("a route of ours in another shape is replaced", async () => {
    makeTap("multi_queue", "vnet_hdr");
    await repairLink(DEVICE, OURS, options);
    ip("route", "add", "10.244.2.0/24", "dev", DEVICE);
    expect(await bring([lease(2)])).toMatchObject({ failures: [] });
    expect(ip("route", "show", "10.244.2.0/24")).toMatch(
      /^10\.244\.2\.0\/24 via 10\.244\.2\.0 dev flannel\.1 onlink/,
    );
  });

  it("a changed MAC costs the device its neighbours, and the next comparison brings them back", async () => {
    makeTap("multi_queue", "vnet_hdr");
    await repairLink(DEVICE, OURS, options);
    await bring([lease(2), lease(3)]);
    ip("link", "set", DEVICE, "address", randomMac());
    expect((await repairLink(DEVICE, OURS, options)).repaired).toEqual([`address ${OURS.mac}`]);
    expect((await readDevice(DEVICE, options))?.neighbours).toEqual([]);
    expect(await bring([lease(2), lease(3)])).toEqual({ done: 4, failures: [] });
  });

  it("each line of a batch gets its own result, also where iproute2 gives up", async () => {
    makeTap("multi_queue", "vnet_hdr");
    await repairLink(DEVICE, OURS, options);
    const lines = [
      `neigh replace 10.244.2.0 lladdr 0e:2a:00:00:00:02 nud permanent dev ${DEVICE}`,
      `neigh del 10.244.77.0 dev ${DEVICE}`, // ends the process
      `route add 10.244.2.0/24 via 10.244.2.0 dev ${DEVICE} onlink`,
      `route add 10.244.2.0/24 via 10.244.2.0 dev ${DEVICE} onlink`,
      `neigh replace no-address lladdr 0e:2a:00:00:00:02 nud permanent dev ${DEVICE}`, // ends the process
      "link set dev nothing up",
      `route add 10.244.3.0/24 via 10.244.3.0 dev ${DEVICE} onlink`,
    ];
    expect(await runBatch(lines, options)).toEqual([
      null,
      "No such file or directory",
      null,
      "File exists",
      expect.stringMatching(/no-address/),
      expect.stringMatching(/Cannot find device/),
      null,
    ]);
    expect(ip("route", "show", "10.244.3.0/24")).not.toBe("");
  });

  it("so does each of many, of which a few end the process", async () => {
    makeTap("multi_queue", "vnet_hdr");
    await repairLink(DEVICE, OURS, options);
    const address = (i: number): string => `10.244.${i}.0`;
    const lines = Array.from({ length: 100 }, (_, i) =>
      i % 40 === 17
        ? `neigh del ${address(i)} dev ${DEVICE}`
        : `neigh replace ${address(i)} lladdr 0e:2a:00:00:00:02 nud permanent dev ${DEVICE}`,
    );
    const expected = lines.map((line) => (line.startsWith("neigh del") ? "No such file or directory" : null));
    expect(await runBatch(lines, options)).toEqual(expected);
    const there = (await readDevice(DEVICE, options))!.neighbours.map((row) => row.address);
    expect(new Set(there)).toEqual(new Set(lines.flatMap((_, i) => (i % 40 === 17 ? [] : [address(i)]))));
  });

  it("steps for a device that is gone fail, all of them and at once", async () => {
    const steps = Array.from({ length: 1000 }, (_, i) => ({
      table: "neighbour" as const,
      op: "replace" as const,
      address: `10.${i >> 8}.${i & 255}.1`,
      mac: "0e:2a:00:00:00:02",
    }));
    const results = await applyHostSteps(DEVICE, steps, options);
    expect(results).toHaveLength(1000);
    expect(new Set(results)).toEqual(new Set([`Cannot find device "${DEVICE}"`]));
    expect(await readDevice(DEVICE, options)).toBeNull();
    await expect(repairLink(DEVICE, OURS, options)).rejects.toMatchObject({ code: "HOST_DEVICE_MISSING" });
  });

  it("a thousand peers are put in place, found unchanged, and removed", async () => {
    makeTap("multi_queue", "vnet_hdr");
    await repairLink(DEVICE, OURS, options);
    const many = Array.from({ length: 1000 }, (_, i): Lease => {
      const [high, low] = [i >> 8, i & 255];
      const hex = (n: number): string => n.toString(16).padStart(2, "0");
      return {
        publicIp: `172.16.${high}.${low}`,
        port: 8472,
        vtepMac: `0e:2a:00:01:${hex(high)}:${hex(low)}`,
        subnets: [`10.${100 + high}.${low}.0/24`],
      };
    });
    expect(await bring(many)).toEqual({ done: 3001, failures: [] });
    expect(isEmpty(await plan(many, ["10.244.1.0/32"]))).toBe(true);
    expect(await bring([])).toEqual({ done: 3000, failures: [] });
  });

  it("our device gets no queueing discipline; where that fails it says why", async () => {
    makeTap("multi_queue", "vnet_hdr");
    expect(await removeQueues([DEVICE], options)).toEqual([]);
    const words = ["-netns", netns, "qdisc", "show", "dev", DEVICE];
    expect(execFileSync("tc", words, { encoding: "utf8" })).toMatch(/^qdisc noqueue /);
    expect(await removeQueues(["no-such-device", DEVICE], options)).toEqual([
      expect.stringMatching(/^the queueing .* no-such-device stays .*: .+/),
    ]);
  });

  it("router advertisements are refused on our device", async () => {
    makeTap("multi_queue", "vnet_hdr");
    expect(refuseRouterAdvertisements(DEVICE, options)).toBeNull();
    const path = `/proc/sys/net/ipv6/conf/${DEVICE}/accept_ra`;
    expect(execFileSync("ip", ["netns", "exec", netns, "cat", path], { encoding: "utf8" })).toBe("0\n");
    expect(refuseRouterAdvertisements("no-such-device", options)).toBeNull();
  });

  it("the uplink is found by our address, or by the way to a peer", async () => {
    const uplink = { device: "underlay", mtu: 1500 };
    const wish = (some: Partial<UplinkWish>): UplinkWish => ({
      local: null,
      device: null,
      towards: null,
      family: 4,
      ...some,
    });
    expect(await findUplink(wish({ local: "192.168.0.1" }), options)).toEqual({
      ...uplink,
      address: "192.168.0.1",
    });
    expect(await findUplink(wish({ towards: "192.168.0.2" }), options)).toEqual({
      ...uplink,
      address: "192.168.0.1",
    });
    expect(await findUplink(wish({ towards: "fd00:10::2", family: 6 }), options)).toEqual({
      ...uplink,
      address: "fd00:10::1",
    });
    await expect(findUplink(wish({ local: "192.168.0.7" }), options)).rejects.toMatchObject({
      code: "HOST_LOCAL_ADDRESS",
      remedy: expect.stringMatching(/192\.168\.0\.1, 10\.244\.1\.1/),
    });
    await expect(findUplink(wish({}), options)).rejects.toMatchObject({ code: "HOST_NO_UPLINK" });
    const named = { ...uplink, address: "192.168.0.1" };
    expect(await findUplink(wish({ device: "underlay" }), options)).toEqual(named);
    await expect(findUplink(wish({ device: "eth7" }), options)).rejects.toMatchObject({
      code: "HOST_NO_DEVICE",
      remedy: expect.stringMatching(/underlay/),
    });
    await expect(
      findUplink(wish({ device: "underlay", local: "10.244.1.1" }), options),
    ).rejects.toMatchObject({ code: "HOST_LOCAL_ADDRESS", remedy: expect.stringMatching(/192\.168\.0\.1/) });
  });

  it("a namespace that is not there is an error, not an empty answer", async () => {
    const nowhere = { netns: "poplin-no-such-namespace" };
    await expect(readLink(DEVICE, nowhere)).rejects.toBeInstanceOf(HostError);
    await expect(readDevice(DEVICE, nowhere)).rejects.toMatchObject({ code: "HOST_IP_FAILED" });
    await expect(applyHostSteps(DEVICE, [{ table: "address", op: "del", cidr: "10.0.0.1/32" }], nowhere))
      .rejects //
      .toMatchObject({ message: expect.stringMatching(/network namespace/) });
  });

  it("without CAP_NET_ADMIN the error says so, whatever iproute2 says", async () => {
    // The real `ip`, run by nobody, in the machine's own namespace, where nobody may change anything.
    const folder = mkdtempSync(join(tmpdir(), "poplin-ip-"));
    const path = process.env.PATH;
    try {
      chmodSync(folder, 0o755);
      const script =
        '#!/bin/sh\nPATH=/usr/sbin:/sbin:/usr/bin:/bin\nexec setpriv --reuid=65534 --clear-groups ip "$@"\n';
      writeFileSync(join(folder, "ip"), script, { mode: 0o755 });
      process.env.PATH = `${folder}:${path}`;
      const steps = [{ table: "neighbour", op: "del", address: "203.0.113.9", mac: "" }] as const;
      await expect(applyHostSteps("lo", steps)).rejects.toMatchObject({
        code: "HOST_PERMISSION",
        remedy: expect.stringMatching(/CAP_NET_ADMIN/),
      });
      await expect(deleteLink("lo")).rejects.toMatchObject({ code: "HOST_PERMISSION" });
    } finally {
      process.env.PATH = path;
      rmSync(folder, { recursive: true });
    }
  });
});
