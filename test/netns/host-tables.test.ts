/** The rows that peers ask for in the kernel's tables, beside what others have there. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { applyPlan, type Executor, type Outcome } from "../../src/control/apply.ts";
import { desiredRows } from "../../src/control/desired.ts";
import { difference, isEmpty } from "../../src/control/difference.ts";
import type { Lease } from "../../src/control/lease.ts";
import type { FdbTarget } from "../../src/control/rows.ts";
import { applyHostSteps } from "../../src/host/apply.ts";
import { deleteLink } from "../../src/host/link.ts";
import { randomMac } from "../../src/host/mac.ts";
import { readDevice } from "../../src/host/read.ts";
import { repairLink } from "../../src/host/repair.ts";
import { describeWith, namespaces, tun } from "../helpers/needs.ts";
import { DEVICE, HostStage, OURS } from "./host-stage.ts";

const lease = (n: number, more: Partial<Lease> = {}): Lease => ({
  publicIp: `192.168.0.${n}`,
  port: 8472,
  vtepMac: `0e:2a:00:00:00:0${n}`,
  subnets: [`10.244.${n}.0/24`, `fd00:${n}::/64`],
  ...more,
});

describeWith([namespaces(), tun()], "the kernel's tables", () => {
  let stage: HostStage;
  /** The dataplane's forwarding table, as a Map. */
  let fdb = new Map<string, FdbTarget>();
  beforeAll(() => {
    stage = new HostStage();
  });
  afterAll(() => stage.remove());
  beforeEach(() => {
    fdb = new Map();
  });
  afterEach(() => deleteLink(DEVICE, stage.options));

  const executor: Executor = {
    host: (steps) => applyHostSteps(DEVICE, steps, stage.options),
    fdb: async (steps) =>
      steps.map(({ op, mac, dst, port }) => {
        if (op === "replace") fdb.set(mac, { mac, dst, port });
        else fdb.delete(mac);
        return null;
      }),
  };

  async function plan(leases: readonly Lease[], addresses: readonly string[]) {
    const state = await readDevice(DEVICE, stage.options);
    const { neighbours, routes, link } = state!;
    const actual = { neighbours, routes, addresses: link.addresses, fdb: [...fdb.values()] };
    return difference(actual, desiredRows(leases, addresses));
  }

  async function bring(leases: readonly Lease[], addresses = ["10.244.1.0/32"]): Promise<Outcome> {
    return applyPlan(await plan(leases, addresses), executor);
  }

  it("peers get neighbours and routes as flannel sets them, and nothing is left when they go", async () => {
    await stage.makeDevice();
    expect(await bring([lease(2), lease(3)], ["10.244.1.0/32", "fd00:1::/128"])).toMatchObject({
      failures: [],
    });
    expect(JSON.parse(stage.ip("-json", "route", "show", "10.244.2.0/24"))).toEqual([
      { dst: "10.244.2.0/24", gateway: "10.244.2.0", dev: DEVICE, flags: ["onlink", "linkdown"] },
    ]);
    expect(JSON.parse(stage.ip("-json", "-details", "route", "show", "10.244.2.0/24"))[0]).toMatchObject({
      protocol: "boot",
      scope: "global",
    });
    expect(JSON.parse(stage.ip("-json", "-6", "route", "show", "fd00:3::/64"))[0]).toMatchObject({
      gateway: "fd00:3::",
      dev: DEVICE,
    });
    expect(JSON.parse(stage.ip("-json", "neigh", "show", "dev", DEVICE, "nud", "permanent"))).toHaveLength(4);
    expect([...fdb.values()]).toEqual([
      { mac: "0e:2a:00:00:00:02", dst: "192.168.0.2", port: 8472 },
      { mac: "0e:2a:00:00:00:03", dst: "192.168.0.3", port: 8472 },
    ]);
    const state = await readDevice(DEVICE, stage.options);
    expect(state?.link.addresses).toEqual(["10.244.1.0/32", "fd00:1::/128"]);
    expect(isEmpty(await plan([lease(2), lease(3)], ["10.244.1.0/32", "fd00:1::/128"]))).toBe(true);

    expect(await bring([], [])).toMatchObject({ failures: [] });
    expect(await readDevice(DEVICE, stage.options)).toMatchObject({ neighbours: [], routes: [] });
    expect(fdb.size).toBe(0);
  });

  it("single addresses and whole families are peers' subnets, too", async () => {
    await stage.makeDevice();
    const odd = [
      lease(2, { subnets: ["10.99.0.2/32", "fd00:99::2/128"] }),
      lease(3, { subnets: ["172.16.0.0/12"] }),
    ];
    expect(await bring(odd)).toMatchObject({ failures: [] });
    expect(isEmpty(await plan(odd, ["10.244.1.0/32"]))).toBe(true);
  });

  it("what an earlier run left and no lease asks for goes; what is not ours stays", async () => {
    await stage.makeDevice();
    await bring([lease(2), lease(3)], ["10.244.7.0/32"]);
    stage.ip("addr", "add", "172.16.0.1/24", "dev", DEVICE);
    stage.ip("route", "add", "10.9.0.0/24", "via", "10.9.0.0", "dev", DEVICE, "onlink", "proto", "bird");
    stage.ip("route", "add", "10.8.0.0/24", "dev", DEVICE);
    stage.ip("route", "add", "10.7.0.0/24", "via", "192.168.0.9", "dev", "underlay");
    stage.ip(
      "neigh",
      "add",
      "192.168.0.9",
      "lladdr",
      "0e:2a:00:00:00:99",
      "nud",
      "permanent",
      "dev",
      "underlay",
    );
    expect(await bring([lease(3)])).toMatchObject({ failures: [] });
    expect(await readDevice(DEVICE, stage.options)).toMatchObject({
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
      expect(stage.ip("route", "show", route)).not.toBe("");
    expect(stage.ip("neigh", "show", "192.168.0.9")).not.toBe("");
    stage.ip("route", "del", "10.7.0.0/24");
    stage.ip("neigh", "del", "192.168.0.9", "dev", "underlay");
  });

  it("a peer whose subnet another device has is undone, with the reason; the others get theirs", async () => {
    await stage.makeDevice();
    stage.ip("route", "add", "10.244.2.0/24", "via", "192.168.0.2", "dev", "underlay");
    const { failures } = await bring([lease(2), lease(3)]);
    expect(failures).toEqual([
      {
        lease: lease(2),
        step: { table: "route", op: "add", subnet: "10.244.2.0/24", via: "10.244.2.0" },
        reason: "there is a route to 10.244.2.0/24 already, via 192.168.0.2 dev underlay",
      },
    ]);
    const state = await readDevice(DEVICE, stage.options);
    expect(state?.neighbours.map(({ address }) => address)).toEqual(["10.244.3.0", "fd00:3::"]);
    expect(state?.routes.map(({ subnet }) => subnet)).toEqual(["10.244.3.0/24", "fd00:3::/64"]);
    expect([...fdb.keys()]).toEqual([lease(3).vtepMac]);
    expect(stage.ip("route", "show", "10.244.2.0/24")).toMatch(
      /^10\.244\.2\.0\/24 via 192\.168\.0\.2 dev underlay/,
    );

    stage.ip("route", "del", "10.244.2.0/24", "dev", "underlay");
    expect(await bring([lease(2), lease(3)])).toMatchObject({ failures: [] });
  });

  it("a route of ours in another shape is replaced", async () => {
    await stage.makeDevice();
    stage.ip("route", "add", "10.244.2.0/24", "dev", DEVICE);
    expect(await bring([lease(2)])).toMatchObject({ failures: [] });
    expect(stage.ip("route", "show", "10.244.2.0/24")).toMatch(
      /^10\.244\.2\.0\/24 via 10\.244\.2\.0 dev flannel\.1 onlink/,
    );
  });

  it("a changed MAC costs the device its neighbours, and the next comparison brings them back", async () => {
    await stage.makeDevice();
    await bring([lease(2), lease(3)]);
    stage.ip("link", "set", DEVICE, "address", randomMac());
    expect((await repairLink(DEVICE, OURS, stage.options)).repaired).toEqual([`address ${OURS.mac}`]);
    expect((await readDevice(DEVICE, stage.options))?.neighbours).toEqual([]);
    expect(await bring([lease(2), lease(3)])).toEqual({ done: 4, failures: [] });
  });

  it("a thousand peers are put in place, found unchanged, and removed", async () => {
    await stage.makeDevice();
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
});
