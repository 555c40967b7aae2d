import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyPlan } from "../../src/control/apply.ts";
import { desiredRows } from "../../src/control/desired.ts";
import { addressesToReplay, difference, isEmpty } from "../../src/control/difference.ts";
import { type Lease, sameLease } from "../../src/control/lease.ts";
import { describeStep, type RouteRow, type Step, toFdbChange } from "../../src/control/rows.ts";
import { Model } from "./model.ts";

const UPLINK = "eth0";

const lease = (n: number, more: Partial<Lease> = {}): Lease => ({
  publicIp: `192.168.0.${n}`,
  port: 8472,
  vtepMac: `0e:2a:00:00:00:0${n}`,
  subnets: [`10.244.${n}.0/24`],
  ...more,
});

/** Leases as a store lets them through: MACs and subnets are each used once. Few of each, so that they change hands. */
const leases = fc
  .uniqueArray(
    fc.record({
      host: fc.nat(3),
      mac: fc.nat(5),
      nets: fc.uniqueArray(fc.nat(5), { minLength: 1, maxLength: 3 }),
      port: fc.constantFrom(8472, 4789),
      direct: fc.boolean(),
    }),
    { maxLength: 4, selector: ({ mac }) => mac },
  )
  .map((list) => {
    const taken = new Set<number>();
    return list.map(({ host, mac, nets, port, direct }): Lease => {
      const free = nets.filter((net) => !taken.has(net));
      for (const net of free) taken.add(net);
      const subnets = free.map((net) => (net < 4 ? `10.244.${net}.0/24` : `fd00:${net}::/64`));
      const way = direct ? { direct: UPLINK } : {};
      return { publicIp: `192.168.0.${host}`, port, vtepMac: `0e:2a:00:00:00:0${mac}`, subnets, ...way };
    });
  });

/** What the tables hold for leases, written down without the code under test. */
function tables(list: readonly Lease[]): { neighbours: string[]; fdb: string[]; routes: string[] } {
  const neighbours: string[] = [];
  const fdb: string[] = [];
  const routes: string[] = [];
  for (const { publicIp, port, vtepMac, subnets, direct } of list) {
    fdb.push(`${vtepMac} ${publicIp} ${port}`);
    for (const subnet of subnets) {
      const network = subnet.split("/")[0]!;
      if (direct !== undefined) {
        routes.push(`${subnet} via ${publicIp} dev eth0`);
        continue;
      }
      neighbours.push(`${network} ${vtepMac}`);
      routes.push(`${subnet} via ${network}`);
    }
  }
  return { neighbours: neighbours.sort(), fdb: fdb.sort(), routes: routes.sort() };
}

function tablesOf(model: Model): ReturnType<typeof tables> {
  return {
    neighbours: [...model.neighbours].map(([address, mac]) => `${address} ${mac}`).sort(),
    fdb: [...model.fdbRows].map(([mac, { dst, port }]) => `${mac} ${dst} ${port}`).sort(),
    routes: model.routes.map(routeText).sort(),
  };
}

function routeText({ subnet, via, dev }: RouteRow): string {
  return `${subnet} via ${via}${dev === undefined ? "" : ` dev ${dev}`}`;
}

/** Rows that look like ours, whoever left them there: each of the subnets of `leases` can have several routes. */
const leftovers = fc.record({
  routes: fc.uniqueArray(
    fc.tuple(fc.nat(5), fc.integer({ min: -1, max: 3 })).map(([net, host]): RouteRow => {
      const network = net < 4 ? `10.244.${net}.0` : `fd00:${net}::`;
      const subnet = `${network}/${net < 4 ? 24 : 64}`;
      return host < 0 ? { subnet, via: network } : { subnet, via: `192.168.0.${host}`, dev: UPLINK };
    }),
    { selector: routeText, maxLength: 8 },
  ),
  neighbours: fc.array(fc.tuple(fc.nat(5), fc.nat(5)), { maxLength: 6 }),
  fdb: fc.array(fc.tuple(fc.nat(5), fc.nat(3)), { maxLength: 6 }),
});

async function bring(model: Model, list: readonly Lease[]): Promise<void> {
  const { failures } = await applyPlan(difference(model.actual(), desiredRows(list, [])), model);
  expect(failures).toEqual([]);
}

describe("difference and applyPlan, against tables written by hand", () => {
  it("leads from any leases to any others, has nothing to do then, and leads back", async () => {
    await fc.assert(
      fc.asyncProperty(leases, leases, async (before, after) => {
        const model = new Model();
        await bring(model, before);
        expect(tablesOf(model)).toEqual(tables(before));
        await bring(model, after);
        expect(tablesOf(model)).toEqual(tables(after));
        expect(isEmpty(difference(model.actual(), desiredRows(after, [])))).toBe(true);
        await bring(model, before);
        expect(tablesOf(model)).toEqual(tables(before));
      }),
    );
  });

  it("leads from any rows to those of any leases", async () => {
    await fc.assert(
      fc.asyncProperty(leftovers, leases, async ({ routes, neighbours, fdb }, after) => {
        const model = new Model();
        model.routes.push(...routes);
        for (const [net, mac] of neighbours)
          model.neighbours.set(net < 4 ? `10.244.${net}.0` : `fd00:${net}::`, `0e:2a:00:00:00:0${mac}`);
        for (const [mac, host] of fdb)
          model.fdbRows.set(`0e:2a:00:00:00:0${mac}`, { dst: `192.168.0.${host}`, port: 8472 });
        await bring(model, after);
        expect(tablesOf(model)).toEqual(tables(after));
      }),
    );
  });

  it("a subnet that has a route before and after has one all the time", async () => {
    await fc.assert(
      fc.asyncProperty(leases, leases, async (before, after) => {
        const model = new Model();
        await bring(model, before);
        const subnets = before.flatMap((one) => one.subnets);
        const kept = after.flatMap((one) => one.subnets).filter((subnet) => subnets.includes(subnet));
        model.onStep = () => {
          for (const subnet of kept) expect(model.routes.some((row) => row.subnet === subnet)).toBe(true);
        };
        await bring(model, after);
      }),
    );
  });

  it("touches no row of a lease that stays the same", async () => {
    await fc.assert(
      fc.asyncProperty(leases, leases, async (before, after) => {
        const model = new Model();
        await bring(model, before);
        model.calls.length = 0;
        await bring(model, after);
        const kept = after.filter((one) => before.some((other) => sameLease(one, other)));
        const { neighbours, fdb, routes } = tables(kept);
        const touched = model.calls.flat().map((line) => line.replace(/^\S+ \S+ /, ""));
        for (const row of neighbours) expect(touched).not.toContain(row.replace(" ", " lladdr "));
        for (const row of fdb)
          expect(touched.map((line) => line.replace(/ dst | port /g, " "))).not.toContain(row);
        for (const row of routes) expect(touched).not.toContain(row);
      }),
    );
  });

  it("when steps fail: their leases get nothing, the others everything, and a later run completes it", async () => {
    await fc.assert(
      fc.asyncProperty(
        leases,
        leases,
        fc.infiniteStream(fc.integer({ min: 0, max: 3 })),
        async (old, next, dice) => {
          const model = new Model();
          await bring(model, old);
          const before = model.actual();
          const plan = difference(before, desiredRows(next, []));
          const broken = new Set<Lease>();
          for (const { lease: whose, changes } of plan.leases) {
            for (const { step } of changes) {
              if (dice.next().value !== 0) continue;
              model.failing.add(describeStep(step));
              broken.add(whose);
            }
          }
          const { failures } = await applyPlan(plan, model);
          expect(new Set(failures.map((failure) => failure.lease))).toEqual(broken);

          const whole = tables(next.filter((one) => !broken.has(one)));
          const now = tablesOf(model);
          expect(now.neighbours).toEqual(expect.arrayContaining(whole.neighbours));
          expect(now.fdb).toEqual(expect.arrayContaining(whole.fdb));
          expect(now.routes).toEqual(expect.arrayContaining(whole.routes));
          for (const one of broken) expectUnchanged(one, before, model, plan.leases);

          model.failing.clear();
          await bring(model, next);
          expect(tablesOf(model)).toEqual(tables(next));
        },
      ),
    );
  });
});

/** Every row that the plan wanted to change for a lease is as it was. */
function expectUnchanged(
  one: Lease,
  before: ReturnType<Model["actual"]>,
  model: Model,
  plans: readonly { lease: Lease; changes: readonly { step: Step }[] }[],
): void {
  for (const { step } of plans.find((plan) => plan.lease === one)!.changes) {
    if (step.table === "neighbour") {
      const was = before.neighbours.find(({ address }) => address === step.address)?.mac;
      expect(model.neighbours.get(step.address)).toBe(was);
    } else if (step.table === "fdb") {
      const was = before.fdb.find(({ mac }) => mac === step.mac);
      expect(model.fdbRows.get(step.mac)).toEqual(was && { dst: was.dst, port: was.port });
    } else if (step.table === "route") {
      const to = ({ subnet }: RouteRow): boolean => subnet === step.subnet;
      const was = before.routes.find(to);
      expect(model.routes.find(to)).toEqual(was);
      // What the route of before leads via is there as well.
      if (was !== undefined && was.dev === undefined) {
        const mac = before.neighbours.find(({ address }) => address === was.via)?.mac;
        expect(model.neighbours.get(was.via)).toBe(mac);
        if (mac !== undefined) expect(model.fdbRows.has(mac)).toBe(true);
      }
    }
  }
}

describe("the order of a plan", () => {
  it("is flannel's for what is added: neighbour, FDB, route", async () => {
    const model = new Model();
    const plan = difference(model.actual(), desiredRows([lease(2), lease(3)], ["10.244.1.0/32"]));
    await applyPlan(plan, model);
    expect(model.calls).toEqual([
      ["addr replace 10.244.1.0/32"],
      [
        "neigh replace 10.244.2.0 lladdr 0e:2a:00:00:00:02",
        "neigh replace 10.244.3.0 lladdr 0e:2a:00:00:00:03",
      ],
      [
        "fdb replace 0e:2a:00:00:00:02 dst 192.168.0.2 port 8472",
        "fdb replace 0e:2a:00:00:00:03 dst 192.168.0.3 port 8472",
      ],
      ["route add 10.244.2.0/24 via 10.244.2.0", "route add 10.244.3.0/24 via 10.244.3.0"],
    ]);
  });

  it("is the same for what is removed", async () => {
    const model = new Model();
    await bring(model, [lease(2)]);
    model.calls.length = 0;
    await bring(model, []);
    expect(model.calls).toEqual([
      ["neigh del 10.244.2.0 lladdr 0e:2a:00:00:00:02"],
      ["fdb del 0e:2a:00:00:00:02 dst 192.168.0.2 port 8472"],
      ["route del 10.244.2.0/24 via 10.244.2.0"],
    ]);
  });

  it("puts a peer's new MAC in place before its old one goes (flannel never removes it)", async () => {
    const model = new Model();
    await bring(model, [lease(2)]);
    model.calls.length = 0;
    await bring(model, [lease(2, { vtepMac: "0e:2a:00:00:00:09" })]);
    expect(model.calls).toEqual([
      ["neigh replace 10.244.2.0 lladdr 0e:2a:00:00:00:09"],
      ["fdb replace 0e:2a:00:00:00:09 dst 192.168.0.2 port 8472"],
      ["fdb del 0e:2a:00:00:00:02 dst 192.168.0.2 port 8472"],
    ]);
  });
});

describe("a peer that is reached directly", () => {
  const direct = lease(2, { direct: UPLINK });

  it("has a route through the uplink, no neighbour, and its FDB row all the same", async () => {
    const model = new Model();
    await bring(model, [direct]);
    expect(model.calls).toEqual([
      ["fdb replace 0e:2a:00:00:00:02 dst 192.168.0.2 port 8472"],
      ["route add 10.244.2.0/24 via 192.168.0.2 dev eth0"],
    ]);
    expect(sameLease(direct, lease(2))).toBe(false);
  });

  it("loses its neighbour once the route leads through the uplink, and has one before it leads back", async () => {
    const model = new Model();
    await bring(model, [lease(2)]);
    model.calls.length = 0;
    await bring(model, [direct]);
    await bring(model, [lease(2)]);
    expect(model.calls).toEqual([
      ["route replace 10.244.2.0/24 via 192.168.0.2 dev eth0"],
      ["neigh del 10.244.2.0 lladdr 0e:2a:00:00:00:02"],
      ["neigh replace 10.244.2.0 lladdr 0e:2a:00:00:00:02"],
      ["route replace 10.244.2.0/24 via 10.244.2.0"],
    ]);
  });

  it("keeps its way through the overlay when the direct route cannot be, with a new MAC, too", async () => {
    const model = new Model();
    await bring(model, [lease(2)]);
    const moved = { ...direct, vtepMac: "0e:2a:00:00:00:09" };
    model.failing.add("route replace 10.244.2.0/24 via 192.168.0.2 dev eth0");
    const outcome = await applyPlan(difference(model.actual(), desiredRows([moved], [])), model);
    expect(outcome.failures).toHaveLength(1);
    expect(tablesOf(model)).toEqual(tables([lease(2)]));
    model.failing.clear();
    await bring(model, [moved]);
    expect(tablesOf(model)).toEqual(tables([moved]));
  });

  it("keeps its direct route when its way through the overlay cannot be", async () => {
    const model = new Model();
    await bring(model, [direct]);
    model.failing.add("neigh replace 10.244.2.0 lladdr 0e:2a:00:00:00:02");
    const outcome = await applyPlan(difference(model.actual(), desiredRows([lease(2)], [])), model);
    expect(outcome.failures).toHaveLength(1);
    expect(tablesOf(model)).toEqual(tables([direct]));
  });
});

describe("a lease of which a step fails", () => {
  it("is undone in reverse order, and keeps its former MAC reachable", async () => {
    const model = new Model();
    await bring(model, [lease(2)]);
    model.calls.length = 0;
    const moved = lease(2, { vtepMac: "0e:2a:00:00:00:09", subnets: ["10.244.2.0/24", "10.245.2.0/24"] });
    model.failing.add("route add 10.245.2.0/24 via 10.245.2.0");
    const outcome = await applyPlan(difference(model.actual(), desiredRows([moved], [])), model);
    expect(outcome.failures).toEqual([
      {
        lease: moved,
        step: { table: "route", op: "add", subnet: "10.245.2.0/24", via: "10.245.2.0" },
        reason: "made to fail",
      },
    ]);
    expect(outcome.done).toBe(0);
    expect(model.calls.slice(3)).toEqual([
      ["fdb del 0e:2a:00:00:00:09 dst 192.168.0.2 port 8472"],
      ["neigh del 10.245.2.0 lladdr 0e:2a:00:00:00:09", "neigh replace 10.244.2.0 lladdr 0e:2a:00:00:00:02"],
    ]);
    expect(tablesOf(model)).toEqual(tables([lease(2)]));
  });

  it("reports an undo step that fails, too", async () => {
    const model = new Model();
    model.failing.add("route add 10.244.2.0/24 via 10.244.2.0");
    model.failing.add("fdb del 0e:2a:00:00:00:02 dst 192.168.0.2 port 8472");
    const outcome = await applyPlan(difference(model.actual(), desiredRows([lease(2)], [])), model);
    expect(outcome.failures.map(({ step }) => describeStep(step))).toEqual([...model.failing]);
  });
});

describe("rows that no lease asks for", () => {
  it("stay when they are FDB rows added by hand, until a lease has their MAC", () => {
    const row = { mac: "0e:2a:00:00:00:02", dst: "192.168.9.9", port: 8472 };
    const actual = { ...new Model().actual(), fdb: [row] };
    const manualFdb = new Set([row.mac]);
    expect(isEmpty(difference(actual, desiredRows([], []), { manualFdb }))).toBe(true);
    expect(difference(actual, desiredRows([], [])).removals).toHaveLength(1);
    const [plan] = difference(actual, desiredRows([lease(2)], []), { manualFdb }).leases;
    expect(plan?.changes.map(({ step, undo }) => [describeStep(step), describeStep(undo)])).toContainEqual([
      "fdb replace 0e:2a:00:00:00:02 dst 192.168.0.2 port 8472",
      "fdb replace 0e:2a:00:00:00:02 dst 192.168.9.9 port 8472",
    ]);
  });
});

describe("addresses", () => {
  const plan = (actual: string[], desired: string[], ownAddresses?: string[]) => {
    const options = ownAddresses === undefined ? {} : { ownAddresses };
    const { addAddresses, removeAddresses } = difference(
      { neighbours: [], routes: [], fdb: [], addresses: actual },
      desiredRows([], desired),
      options,
    );
    return [...addAddresses, ...removeAddresses].map(describeStep);
  };

  it("are added, and removed only when they are ours", () => {
    expect(plan([], ["10.244.1.0/32"])).toEqual(["addr replace 10.244.1.0/32"]);
    expect(plan(["10.244.1.0/32", "10.9.9.9/32"], ["10.244.1.0/32"], ["10.244.1.0/32"])).toEqual([]);
    expect(plan(["10.244.1.0/32"], ["10.244.7.0/32"], ["10.244.1.0/32"])).toEqual([
      "addr replace 10.244.7.0/32",
      "addr del 10.244.1.0/32",
    ]);
  });

  it("of an earlier run are known by their form: single, and of a family that is configured", () => {
    expect(plan(["10.244.1.0/32", "10.9.9.9/24", "fd00:1::/128"], ["10.244.7.0/32"])).toEqual([
      "addr replace 10.244.7.0/32",
      "addr del 10.244.1.0/32",
    ]);
    expect(plan(["10.244.1.0/32"], [])).toEqual([]);
  });

  it("of a device that is made anew: somebody else's are replayed", () => {
    const before = ["10.244.1.0/32", "10.244.9.0/32", "172.16.0.1/24", "fd00:1::/128"];
    expect(addressesToReplay(before, ["10.244.1.0/32"])).toEqual(["172.16.0.1/24", "fd00:1::/128"]);
    expect(addressesToReplay(before, [])).toEqual(before);
  });
});

describe("toFdbChange", () => {
  it("says it in the dataplane's words", () => {
    const row = { table: "fdb", mac: "0e:2a:00:00:00:02", dst: "192.168.0.2", port: 8472 } as const;
    expect(toFdbChange({ ...row, op: "replace" })).toEqual({
      op: "replace",
      mac: row.mac,
      dst: row.dst,
      port: row.port,
    });
    expect(toFdbChange({ ...row, op: "del" })).toEqual({ op: "del", mac: row.mac });
  });
});
