/** Plans between any leases and any others, against tables that are written down without the code under test. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyPlan } from "../../src/control/apply.ts";
import { desiredRows } from "../../src/control/desired.ts";
import { difference, isEmpty } from "../../src/control/difference.ts";
import { type Lease, sameLease } from "../../src/control/lease.ts";
import { describeStep, type RouteRow, type Step } from "../../src/control/rows.ts";
import { Model } from "./model.ts";
import { bring, routeText, tables, tablesOf, UPLINK } from "./tables.ts";

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
