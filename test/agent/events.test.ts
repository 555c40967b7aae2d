/** The way of an event from the dataplane's thread to whoever listens. */
import { afterEach, describe, expect, it, vi } from "vitest";
import type { ToldEvent } from "../../src/agent/api/agent-view.ts";
import { EventHub } from "../../src/agent/events.ts";
import { Counters, dropIndex } from "../../src/dataplane/counters.ts";
import { DropTeller } from "../../src/dataplane/drop-teller.ts";
import {
  DROPPED,
  EventRing,
  L2_MISS,
  L3_MISS_IPV4,
  L3_MISS_IPV6,
  MISSES,
} from "../../src/dataplane/event-ring.ts";
import { frame, MAC_A, MAC_B } from "../dataplane/frames.ts";

afterEach(() => vi.useRealTimers());

/** A hub over two rings, and what a listener has heard. */
const LOCAL = { address: "192.0.2.1", port: 8472 };
function hub() {
  vi.useFakeTimers();
  const rings = [new EventRing(), new EventRing()];
  const counters = new Counters();
  const devices = new Map([[1, "flannel.1"]]);
  const events = new EventHub(rings, devices, () => new Map([[1, counters.snapshot().drops]]), LOCAL);
  return { rings, counters, hub: events, heard: [] as ToldEvent[] };
}

describe("the event hub", () => {
  it("tells what every queue tells, in words", () => {
    const { rings, hub: events, heard } = hub();
    events.listen((event) => heard.push(event), ["misses"]);
    rings[0]!.tell(L2_MISS, 1, 0x0200, 5, 0, 0);
    rings[1]!.tell(L3_MISS_IPV4, 1, 0x0a000005, 0, 0, 0);
    rings[1]!.tell(L3_MISS_IPV6, 1, 0xfd990000 | 0, 0, 0, 5);
    vi.advanceTimersByTime(100);
    const at = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(heard).toEqual([
      { type: "l2miss", vni: 1, dev: "flannel.1", mac: "02:00:00:00:00:05", at },
      { type: "l3miss", vni: 1, dev: "flannel.1", address: "10.0.0.5", at },
      { type: "l3miss", vni: 1, dev: "flannel.1", address: "fd99::5", at },
    ]);
  });

  it("looks only while somebody listens, and each hears the same", () => {
    const { rings, hub: events, heard } = hub();
    const others: ToldEvent[] = [];
    const ends = [heard, others].map((list) => events.listen((event) => list.push(event), ["misses"]));
    expect(vi.getTimerCount()).toBe(1);
    rings[0]!.tell(L2_MISS, 1, 0, 1, 0, 0);
    vi.advanceTimersByTime(100);
    ends[0]!();
    rings[0]!.tell(L2_MISS, 1, 0, 2, 0, 0);
    vi.advanceTimersByTime(100);
    ends[1]!();
    expect([heard.length, others.length]).toEqual([1, 2]);
    expect(vi.getTimerCount()).toBe(0);
    expect(rings[0]!.listensTo(MISSES | DROPPED)).toBe(false);
  });

  it("says how many were lost", () => {
    const { rings, hub: events, heard } = hub();
    events.listen((event) => heard.push(event), ["misses"]);
    for (let i = 0; i < 2000; i++) rings[i & 1]!.tell(L2_MISS, 1, 0, i, 0, 0);
    vi.advanceTimersByTime(100);
    const last = heard.at(-1)!;
    expect(last.type).toBe("lost");
    expect(heard.length - 1 + (last.type === "lost" ? last.count : 0)).toBe(2000);
  });

  it("is silent once it is closed", () => {
    const { rings, hub: events, heard } = hub();
    events.listen((event) => heard.push(event), ["misses"]);
    events.close();
    rings[0]!.tell(L2_MISS, 1, 0, 1, 0, 0);
    vi.advanceTimersByTime(100);
    expect(heard).toEqual([]);
  });
});

const NO_TARGET = dropIndex("tx", "NO_TX_TARGET");
const UNKNOWN = dropIndex("rx", "UNKNOWN_VTEP");

/** The same with somebody who listens to drops, and two queues that drop. */
function dropping() {
  const made = hub();
  const bytes = new Uint8Array(4096);
  const packet = frame({ src: MAC_A, dst: MAC_B });
  bytes.set(packet, 8);
  const queues = made.rings.map((ring) => new DropTeller(made.counters, ring, bytes, 1));
  /** Frames to a MAC that nobody has, each to another. */
  const drop = (queue: number, n: number): void => {
    for (let i = 0; i < n; i++) {
      bytes[8 + 4] = ++serial >> 8;
      bytes[8 + 5] = serial & 0xff;
      queues[queue]!.frame(NO_TARGET, 8, packet.length);
    }
  };
  let serial = 0;
  return { ...made, drop, listen: () => made.hub.listen((event) => made.heard.push(event), ["drops"]) };
}

/** What the events come to, shown or only counted. */
function sums(heard: readonly ToldEvent[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const event of heard) {
    if (event.type !== "drop" && event.type !== "drops") continue;
    const key = `${event.direction} ${event.reason}`;
    all[key] = (all[key] ?? 0) + (event.type === "drop" ? 1 : event.count);
  }
  return all;
}

describe("drops", () => {
  it("are told in words", () => {
    const { heard, drop, listen } = dropping();
    listen();
    drop(0, 1);
    vi.advanceTimersByTime(100);
    expect(heard).toEqual([
      {
        type: "drop",
        vni: 1,
        dev: "flannel.1",
        direction: "tx",
        reason: "NO_TX_TARGET",
        error: null,
        remote: null,
        header: null,
        length: 142,
        frame: { source: MAC_A, destination: "02:00:00:00:00:01", etherType: 0x0800 },
        packet: {
          source: "10.244.1.2",
          destination: "10.244.2.5",
          protocol: 17,
          ports: { source: 40000, destination: 5201 },
        },
        at: expect.stringMatching(/^\d{4}-.*Z$/),
      },
    ]);
  });

  it("that nobody was told of are counted once a second: all of them come to what the counters say", () => {
    const { counters, heard, drop, listen } = dropping();
    drop(0, 7);
    counters.values[UNKNOWN]! += 7;
    listen();
    for (let turn = 0; turn < 50; turn++) {
      drop(turn & 1, 1 + ((turn * 379) % 700));
      // As of the kernel's: counted, and seen by nobody.
      counters.values[UNKNOWN]! += turn;
      vi.advanceTimersByTime(40);
    }
    vi.advanceTimersByTime(2000);
    const { tx, rx } = counters.snapshot().drops;
    expect(sums(heard)).toEqual({
      "tx NO_TX_TARGET": tx.NO_TX_TARGET! - 7,
      "rx UNKNOWN_VTEP": rx.UNKNOWN_VTEP! - 7,
    });
    expect(heard.filter(({ type }) => type === "drop").length).toBeGreaterThan(1000);
    expect(heard.filter(({ type }) => type === "lost")).toEqual([]);
  });

  it("are told to whoever asked for them, and the dataplane is told when nobody does any more", () => {
    const { rings, hub: events, heard, drop, listen } = dropping();
    const misses: ToldEvent[] = [];
    events.listen((event) => misses.push(event), ["misses"]);
    const end = listen();
    drop(0, 1);
    rings[0]!.tell(L2_MISS, 1, 0, 1, 0, 0);
    vi.advanceTimersByTime(100);
    expect([heard, misses].map((list) => list.map(({ type }) => type))).toEqual([["drop"], ["l2miss"]]);
    end();
    expect([MISSES, DROPPED].map((topic) => rings[1]!.listensTo(topic))).toEqual([true, false]);
  });

  it("of a time when nobody listened are told to nobody later", () => {
    const { heard, drop, listen } = dropping();
    listen()();
    drop(0, 100);
    listen();
    vi.advanceTimersByTime(3000);
    expect(heard).toEqual([]);
  });
});
