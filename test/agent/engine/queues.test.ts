/** Several dataplanes as one: tables of their own, on memory ports, behind the composite that the agent sees. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Engine, ended } from "../../../src/agent/engine/engine.ts";
import { type Command, execute, type ReplyTo } from "../../../src/agent/engine/protocol.ts";
import { addSnapshots, joinQueues } from "../../../src/agent/engine/queues.ts";
import { Counters, counterIndex, dropIndex } from "../../../src/dataplane/counters.ts";
import { Dataplane } from "../../../src/dataplane/dataplane.ts";
import { EventRing } from "../../../src/dataplane/event-ring.ts";
import type { FdbUpdate } from "../../../src/dataplane/options.ts";
import type { PortFailure } from "../../../src/dataplane/port-failures.ts";
import { MemoryNetwork, MemoryTap } from "../../../src/io/memory.ts";

const OPTIONS = {
  vni: 1,
  mac: "02:00:00:00:00:01",
  mtu: 1450,
  reservedBits: "rfc",
  senderCheck: "strict",
  tos: 0,
} as const;

/** An engine whose commands take a while, and that can be made to fail. */
class Fake implements Engine {
  readonly driver = "worker";
  readonly events = [new EventRing()];
  readonly counters = new Counters();
  readonly dataplane: Dataplane;
  readonly heard: Command[] = [];
  readonly failed: Promise<PortFailure | Error>;
  stopped = false;
  fail: (failure: PortFailure | Error) => void = () => {};
  /** Answers to `health` are changed by this. */
  bend: (health: ReplyTo<{ type: "health" }>) => unknown = (health) => health;

  constructor() {
    const network = new MemoryNetwork();
    const underlay = network.attach({ address: Uint8Array.of(192, 0, 2, 1), port: 8472 });
    this.dataplane = new Dataplane(OPTIONS, new MemoryTap(), underlay, this.counters);
    this.failed = new Promise((resolve) => {
      this.fail = resolve;
    });
  }

  snapshot() {
    return this.counters.snapshot();
  }

  async ask<C extends Command>(command: C): Promise<ReplyTo<C>> {
    if (this.stopped) throw ended();
    this.heard.push(command);
    const reply = execute(this.dataplane, command) as ReplyTo<C>;
    await new Promise((resolve) => setImmediate(resolve));
    return (
      command.type === "health" ? this.bend(reply as ReplyTo<{ type: "health" }>) : reply
    ) as ReplyTo<C>;
  }

  async stop(): Promise<void> {
    this.stopped = true;
  }
}

function queues(count = 3) {
  const fakes = Array.from({ length: count }, () => new Fake());
  return { fakes, engine: joinQueues(fakes) };
}

function change(op: FdbUpdate["op"], n: number, host = n): FdbUpdate {
  const mac = `02:00:00:00:01:${n.toString(16).padStart(2, "0")}`;
  return { op, mac, port: 8472, address: op === "del" ? new Uint8Array(0) : Uint8Array.of(192, 0, 2, host) };
}

/** The rows of each table, sorted, each in a line. */
function tables(fakes: readonly Fake[]): string[][] {
  return fakes.map(({ dataplane }) =>
    dataplane
      .rows()
      .map(({ mac, dst }) => `${mac} ${dst}`)
      .sort(),
  );
}

describe("several queues", () => {
  it("one is itself", () => {
    const { fakes, engine } = queues(1);
    expect(engine).toBe(fakes[0]);
  });

  it("a change is made in all tables or in none", async () => {
    const { fakes, engine } = queues();
    const changes = [change("add", 2), change("add", 2, 9), change("replace", 3), change("del", 4)];
    const wrongFamily = { ...change("add", 5), address: new Uint8Array(16) };
    expect(await engine.ask({ type: "update", changes: [...changes, wrongFamily] })).toEqual([
      null,
      "FDB_EXISTS",
      null,
      "FDB_MISSING",
      "FDB_FAMILY",
    ]);
    for (const table of tables(fakes)) {
      expect(table).toEqual(["02:00:00:00:01:02 192.0.2.2", "02:00:00:00:01:03 192.0.2.3"]);
    }
    expect(await engine.ask({ type: "rows" })).toHaveLength(2);
  });

  it("what the first refuses, only it is asked, but for a deletion: a learned row may be another's", async () => {
    const { fakes, engine } = queues();
    const wrong = { ...change("add", 1), address: new Uint8Array(16) };
    expect(await engine.ask({ type: "update", changes: [wrong] })).toEqual(["FDB_FAMILY"]);
    expect(fakes.map(({ heard }) => heard.length)).toEqual([1, 0, 0]);
    expect(await engine.ask({ type: "update", changes: [change("del", 1)] })).toEqual(["FDB_MISSING"]);
    fakes[2]!.dataplane.update(change("add", 1));
    expect(await engine.ask({ type: "update", changes: [change("del", 1)] })).toEqual([null]);
    expect(fakes[2]!.dataplane.rows()).toEqual([]);
  });

  it("a group's row is the same everywhere, made by `add` and `append`", async () => {
    const { fakes, engine } = queues();
    const group = (op: FdbUpdate["op"], last: number): FdbUpdate => ({
      ...change("add", last),
      op,
      mac: "00:00:00:00:00:00",
    });
    const changes = [
      group("add", 2),
      group("add", 3),
      group("append", 3),
      group("append", 4),
      group("del", 2),
    ];
    expect(await engine.ask({ type: "update", changes })).toEqual([null, "FDB_EXISTS", null, null, null]);
    for (const table of tables(fakes)) {
      expect(table).toEqual(["00:00:00:00:00:00 192.0.2.3", "00:00:00:00:00:00 192.0.2.4"]);
    }
    expect(await engine.ask({ type: "rows" })).toHaveLength(2);
  });

  it("a table that has gone its own way comes back with the next change of a row", async () => {
    const { fakes, engine } = queues(2);
    fakes[1]!.dataplane.update(change("add", 2, 66));
    expect(await engine.ask({ type: "update", changes: [change("add", 2)] })).toEqual([null]);
    expect(tables(fakes)[1]).toEqual(["02:00:00:00:01:02 192.0.2.2"]);
  });

  it("however many changes are on their way at a time, the tables end up the same", async () => {
    const some = fc.record({
      op: fc.constantFrom<FdbUpdate["op"]>("add", "replace", "del"),
      n: fc.integer({ min: 1, max: 3 }),
      host: fc.integer({ min: 1, max: 9 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(some, { maxLength: 4 }), { maxLength: 8 }), async (batches) => {
        const { fakes, engine } = queues();
        const asked = batches.map((batch) => {
          const changes = batch.map(({ op, n, host }) => change(op, n, host));
          return engine.ask({ type: "update", changes });
        });
        await Promise.all(asked);
        const [first, ...others] = tables(fakes);
        for (const other of others) expect(other).toEqual(first);
      }),
      { numRuns: 50 },
    );
  });

  it("neighbours are the same in all tables, and what is told comes from all", async () => {
    const { fakes, engine } = queues(2);
    const address = Uint8Array.of(10, 0, 0, 5);
    const add = { op: "add", address, mac: "02:00:00:00:00:05" } as const;
    const del = { op: "del", address: Uint8Array.of(10, 0, 0, 6), mac: "" } as const;
    expect(await engine.ask({ type: "updateNeighbours", changes: [add, add, del] })).toEqual([
      null,
      "NEIGH_EXISTS",
      "NEIGH_MISSING",
    ]);
    const row = { vni: 1, address: "10.0.0.5", mac: add.mac };
    for (const { dataplane } of fakes) expect(dataplane.neighbours()).toEqual([row]);
    expect(await engine.ask({ type: "neighbours" })).toEqual([row]);
    expect(engine.events).toEqual(fakes.flatMap(({ events }) => events));
  });

  it("a policy reaches all", async () => {
    const { fakes, engine } = queues();
    const policy = { reservedBits: "linux", senderCheck: "off", tos: "inherit" } as const;
    expect(await engine.ask({ type: "policy", policy })).toBeNull();
    for (const { heard } of fakes) expect(heard).toEqual([{ type: "policy", policy }]);
  });

  it("so do the limits of paths", async () => {
    const { fakes, engine } = queues();
    const command = { type: "pathLimits", limits: [{ address: "172.19.0.3", mtu: 1350 }] } as const;
    expect(await engine.ask(command)).toBeNull();
    for (const { heard } of fakes) expect(heard).toEqual([command]);
  });

  it("counters are added up, drops by reason", () => {
    const { fakes, engine } = queues(2);
    fakes[0]!.counters.values[counterIndex("txFrames")] = 3;
    fakes[1]!.counters.values[counterIndex("txFrames")] = 4;
    fakes[0]!.counters.values[dropIndex("rx", "SOCKET_RCVBUFF")] = 5;
    fakes[1]!.counters.values[dropIndex("rx", "SOCKET_RCVBUFF")] = 6;
    fakes[1]!.counters.values[dropIndex("tx", "NO_TX_TARGET")] = 1;
    expect(engine.snapshot()).toEqual({
      ...new Counters().snapshot(),
      txFrames: 7,
      drops: { tx: { NO_TX_TARGET: 1 }, rx: { SOCKET_RCVBUFF: 11 } },
    });
    expect(addSnapshots([])).toEqual(new Counters().snapshot());
  });

  it("health: slots are added up, the latest refusal and the first failure count, given-up offloads are joined", async () => {
    const { fakes, engine } = queues(3);
    const [one] = fakes as [Fake, ...Fake[]];
    const plain = one.dataplane.health();
    fakes[1]!.bend = (health) => ({
      ...health,
      lastRefused: { tx: { errno: 5, at: 20 }, rx: { errno: 22, at: 10 } },
      offloads: { "udp-gso": "EIO" },
    });
    fakes[2]!.bend = (health) => ({
      ...health,
      lastRefused: { tx: { errno: 105, at: 10 }, rx: { errno: 11, at: 30 } },
      failure: { port: "tap", errno: 77 },
      offloads: { "udp-gso": "EINVAL", "tcp-coalesce": "EINVAL" },
    });
    expect(await engine.ask({ type: "health" })).toEqual({
      lastGroup: null,
      slots: {
        tx: { free: 3 * plain.slots.tx.free, count: 3 * plain.slots.tx.count },
        rx: { free: 3 * plain.slots.rx.free, count: 3 * plain.slots.rx.count },
      },
      lastRefused: { tx: { errno: 5, at: 20 }, rx: { errno: 11, at: 30 } },
      failure: { port: "tap", errno: 77 },
      offloads: { "udp-gso": "EIO", "tcp-coalesce": "EINVAL" },
      rows: [{ static: 0, learned: 0 }],
    });
  });

  it("a probe goes through all, and what is wrong with one is wrong", async () => {
    const { fakes, engine } = queues();
    expect(await engine.ask({ type: "probe" })).toBeNull();
    expect(fakes.map(({ heard }) => heard.at(-1)?.type)).toEqual(["probe", "probe", "probe"]);
    fakes[2]!.dataplane.overlays[0]!.decap.run = (filled) => filled.complete(1);
    expect(await engine.ask({ type: "probe" })).toEqual({ why: "decap dropped it" });
  });

  it("the first that fails is the failure of all", async () => {
    const { fakes, engine } = queues();
    fakes[2]!.fail({ port: "tap", errno: 77 });
    expect(await engine.failed).toEqual({ port: "tap", errno: 77 });
    await engine.stop();
    expect(fakes.map(({ stopped }) => stopped)).toEqual([true, true, true]);
    await expect(engine.ask({ type: "rows" })).rejects.toMatchObject({ code: "DATAPLANE_ENDED" });
  });

  it("one that has ended fails the question, not without a word", async () => {
    const { fakes, engine } = queues();
    await fakes[1]!.stop();
    const asked = engine.ask({ type: "update", changes: [change("add", 2)] });
    await expect(asked).rejects.toMatchObject({ code: "DATAPLANE_ENDED" });
    await expect(engine.ask({ type: "health" })).rejects.toMatchObject({ code: "DATAPLANE_ENDED" });
  });
});
