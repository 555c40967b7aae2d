/** The way of an event from the dataplane's thread to whoever listens. */
import { afterEach, describe, expect, it, vi } from "vitest";
import type { AgentEvent } from "../../src/agent/api/agent-view.ts";
import { EventHub } from "../../src/agent/events.ts";
import { EventRing, L2_MISS, L3_MISS_IPV4, L3_MISS_IPV6 } from "../../src/dataplane/event-ring.ts";

afterEach(() => vi.useRealTimers());

/** A hub over two rings, and what a listener has heard. */
function hub() {
  vi.useFakeTimers();
  const rings = [new EventRing(), new EventRing()];
  return { rings, hub: new EventHub(rings, new Map([[1, "flannel.1"]])), heard: [] as AgentEvent[] };
}

describe("the event hub", () => {
  it("tells what every queue tells, in words", () => {
    const { rings, hub: events, heard } = hub();
    events.listen((event) => heard.push(event));
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
    const others: AgentEvent[] = [];
    const ends = [events.listen((event) => heard.push(event)), events.listen((event) => others.push(event))];
    expect(vi.getTimerCount()).toBe(1);
    rings[0]!.tell(L2_MISS, 1, 0, 1, 0, 0);
    vi.advanceTimersByTime(100);
    ends[0]!();
    rings[0]!.tell(L2_MISS, 1, 0, 2, 0, 0);
    vi.advanceTimersByTime(100);
    ends[1]!();
    expect([heard.length, others.length]).toEqual([1, 2]);
    expect(vi.getTimerCount()).toBe(0);
    expect(rings[0]!.listening).toBe(false);
  });

  it("says how many were lost", () => {
    const { rings, hub: events, heard } = hub();
    events.listen((event) => heard.push(event));
    for (let i = 0; i < 2000; i++) rings[i & 1]!.tell(L2_MISS, 1, 0, i, 0, 0);
    vi.advanceTimersByTime(100);
    const last = heard.at(-1)!;
    expect(last.type).toBe("lost");
    expect(heard.length - 1 + (last.type === "lost" ? last.count : 0)).toBe(2000);
  });

  it("is silent once it is closed", () => {
    const { rings, hub: events, heard } = hub();
    events.listen((event) => heard.push(event));
    events.close();
    rings[0]!.tell(L2_MISS, 1, 0, 1, 0, 0);
    vi.advanceTimersByTime(100);
    expect(heard).toEqual([]);
  });
});
