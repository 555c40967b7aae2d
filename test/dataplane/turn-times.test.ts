/** Times of batches, by a clock that goes on when a port or a stage is called, and not otherwise. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { COUNTER_NAMES, Counters, type Direction } from "../../src/dataplane/counters.ts";
import { EVERY, TOOK, TurnTimes } from "../../src/dataplane/turn-times.ts";
import { frame, vxlan } from "./frames.ts";
import { several } from "./overlays.ts";
import { tapFrame } from "./ports.ts";

/** Buckets that something is in, and how much. */
function took(counters: Counters, direction: Direction): Record<string, number> {
  const prefix = `${direction}Took`;
  const names = COUNTER_NAMES.filter((name) => name.startsWith(prefix) && counters.get(name) > 0);
  return Object.fromEntries(names.map((name) => [name.slice(prefix.length), counters.get(name)]));
}

/** What was counted beside them: nanoseconds, those of the stage, packets. */
function sums(counters: Counters, direction: Direction): number[] {
  const names = ["Nanoseconds", "StageNanoseconds", "TimedPackets"] as const;
  return names.map((name) => counters.get(`${direction}${name}`));
}

describe("TurnTimes", () => {
  function setUp() {
    const counters = new Counters();
    let nanos = 123_456_789_000_000;
    const now = vi.fn(() => nanos / 1e6);
    const times = new TurnTimes(counters, now);
    /** A turn in which each direction takes so many nanoseconds, and moves a packet where it takes any. */
    const turn = (rx: number, tx: number): void => {
      times.begin();
      for (const [direction, takes] of [["rx", rx] as const, ["tx", tx] as const]) {
        nanos += takes;
        times.packets += Math.sign(takes);
        times.end(direction, Math.sign(takes));
      }
      times.turned(Math.sign(rx) + Math.sign(tx));
    };
    const untimed = (turns = EVERY - 1): void => {
      for (let i = 0; i < turns; i++) turn(7_777_777, 7_777_777);
    };
    return { counters, now, turn, untimed };
  }

  it("counts a time in the bucket of the first bound that it does not exceed", () => {
    for (const [i, bound] of TOOK.entries()) {
      const { counters, turn, untimed } = setUp();
      untimed();
      turn(bound * 1000, bound * 1000 + 100);
      expect(took(counters, "rx")).toEqual({ [bound]: 1 });
      expect(took(counters, "tx")).toEqual({ [TOOK[i + 1] ?? "Longer"]: 1 });
      expect([sums(counters, "rx")[0], sums(counters, "tx")[0]]).toEqual([bound * 1000, bound * 1000 + 100]);
    }
  });

  it("times one turn in so many, and looks at the clock in no other", () => {
    const { counters, now, turn, untimed } = setUp();
    untimed();
    expect(now).not.toHaveBeenCalled();
    turn(3000, 30_000);
    expect(now).toHaveBeenCalledTimes(3);
    untimed();
    expect(now).toHaveBeenCalledTimes(3);
    turn(4000, 30_000);
    expect([took(counters, "rx"), took(counters, "tx")]).toEqual([{ 5: 2 }, { 50: 2 }]);
    expect([sums(counters, "rx"), sums(counters, "tx")]).toEqual([
      [7000, 0, 2],
      [60_000, 0, 2],
    ]);
  });

  it("leaves out turns in which nothing moved, and the direction in which nothing did", () => {
    const { counters, turn, untimed } = setUp();
    for (let i = 0; i < 10 * EVERY; i++) turn(0, 0);
    untimed(EVERY - 2);
    turn(0, 0);
    turn(0, 5000);
    expect([took(counters, "rx"), took(counters, "tx")]).toEqual([{}, {}]);
    turn(0, 0);
    turn(0, 6000);
    expect([took(counters, "rx"), took(counters, "tx")]).toEqual([{}, { 10: 1 }]);
    expect([sums(counters, "rx"), sums(counters, "tx")]).toEqual([
      [0, 0, 0],
      [6000, 0, 1],
    ]);
  });
});

describe("the loop's times", () => {
  afterEach(() => vi.restoreAllMocks());

  /** Ports and stages that take so many microseconds for a call. */
  const TAKES = { recvBatch: 2, decap: 40, writeBatch: 300, readBatch: 3, encap: 50, sendBatch: 400 };

  /** Dataplanes on that clock; the decap of several overlays takes no time. */
  function timed(vnis: readonly number[]) {
    let micros = 0;
    vi.spyOn(performance, "now").mockImplementation(() => micros / 1000);
    const set = several(vnis);
    const slow = (of: object, name: string, by: number): void => {
      const methods = of as Record<string, (...args: unknown[]) => unknown>;
      const call = methods[name]!.bind(of);
      methods[name] = (...args) => {
        micros += by;
        return call(...args);
      };
    };
    slow(set.underlay, "recvBatch", TAKES.recvBatch);
    slow(set.underlay, "sendBatch", TAKES.sendBatch);
    for (const tap of set.taps) {
      slow(tap, "readBatch", TAKES.readBatch);
      slow(tap, "writeBatch", TAKES.writeBatch);
    }
    for (const { encap, decap } of set.dataplane.overlays) {
      slow(encap, "run", TAKES.encap);
      if (vnis.length === 1) slow(decap, "run", TAKES.decap);
    }
    const untimed = (): void => {
      for (let i = 1; i < EVERY; i++) {
        set.underlay.bring(vxlan(frame(), vnis[0]!));
        set.loop.turn();
      }
    };
    return { ...set, untimed, first: set.counters[0]! };
  }

  it("are those of ports and stage, by direction, with the packets that left", () => {
    const { underlay, taps, loop, first, untimed } = timed([1]);
    untimed();
    expect([sums(first, "rx"), sums(first, "tx")]).toEqual([new Array(3).fill(0), new Array(3).fill(0)]);
    for (let i = 0; i < 3; i++) underlay.bring(vxlan(frame()));
    for (let i = 0; i < 4; i++) taps[0]!.incoming.push(tapFrame());
    loop.turn();
    const { recvBatch, decap, writeBatch, readBatch, encap, sendBatch } = TAKES;
    expect(sums(first, "rx")).toEqual([(recvBatch + decap + writeBatch) * 1000, decap * 1000, 3]);
    expect(sums(first, "tx")).toEqual([(readBatch + encap + sendBatch) * 1000, encap * 1000, 4]);
    expect([took(first, "rx"), took(first, "tx")]).toEqual([{ 500: 1 }, { 500: 1 }]);
  });

  it("count packets where they leave, not where they wait", () => {
    const { underlay, taps, loop, first, untimed } = timed([1]);
    untimed();
    taps[0]!.incoming.push(tapFrame(), tapFrame());
    underlay.writes.push(0);
    loop.turn();
    expect([took(first, "rx"), took(first, "tx"), sums(first, "tx")[2]]).toEqual([{}, { 500: 1 }, 0]);
    untimed();
    loop.turn();
    taps[0]!.incoming.push(tapFrame());
    loop.turn();
    expect(sums(first, "tx")[2]).toBe(1);
  });

  it("of several overlays are one turn's: each TAP that was read, and one send", () => {
    const { underlay, taps, loop, first, counters, untimed } = timed([1, 70, 99]);
    untimed();
    underlay.bring(vxlan(frame(), 70));
    for (const tap of taps) tap.incoming.push(tapFrame());
    loop.turn();
    const { recvBatch, writeBatch, readBatch, encap, sendBatch } = TAKES;
    expect(sums(first, "rx")).toEqual([(recvBatch + writeBatch) * 1000, 0, 1]);
    expect(sums(first, "tx")).toEqual([(3 * readBatch + 3 * encap + sendBatch) * 1000, 3 * encap * 1000, 3]);
    for (const other of counters.slice(1)) {
      expect([took(other, "rx"), took(other, "tx")]).toEqual([{}, {}]);
    }
  });

  it("have no part in what is done between two turns", () => {
    const { underlay, dataplane, loop, first, untimed } = timed([1]);
    untimed();
    expect(dataplane.hold()).toBe(true);
    dataplane.release();
    expect(dataplane.probe(0)).toBeNull();
    underlay.bring(vxlan(frame()));
    loop.turn();
    const { recvBatch, decap, writeBatch } = TAKES;
    expect(sums(first, "rx")).toEqual([(recvBatch + decap + writeBatch) * 1000, decap * 1000, 1]);
  });
});
