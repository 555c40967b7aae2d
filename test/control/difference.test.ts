/** Plans of single leases, step by step. */
import { describe, expect, it } from "vitest";
import { applyPlan } from "../../src/control/apply.ts";
import { desiredRows } from "../../src/control/desired.ts";
import { addressesToReplay, difference, isEmpty } from "../../src/control/difference.ts";
import { sameLease } from "../../src/control/lease.ts";
import { describeStep, toFdbChange } from "../../src/control/rows.ts";
import { Model } from "./model.ts";
import { bring, lease, tables, tablesOf, UPLINK } from "./tables.ts";

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
