/** The ring between the dataplane's thread and the agent's. */
import { describe, expect, it } from "vitest";
import { DROP, DROPPED, EventRing, L2_MISS, L3_MISS_IPV4, MISSES } from "../../src/dataplane/event-ring.ts";

function drain(ring: EventRing, now: number) {
  const rows: number[][] = [];
  const lost = ring.drain(now, (kind, vni, words, at) => rows.push([kind, vni, ...words.slice(at, at + 4)]));
  return { rows, lost };
}

/** The two ends, as two threads have them. */
function ends() {
  const consumer = new EventRing();
  return { consumer, producer: new EventRing(consumer.shared) };
}

describe("the event ring", () => {
  it("carries what was told, in its order", () => {
    const { consumer, producer } = ends();
    consumer.open(0, MISSES);
    producer.tell(L2_MISS, 1, 0x0200, -5, 0, 0);
    producer.tell(L3_MISS_IPV4, 0xffffff, 0x0a000005, 0, 0, 0);
    expect(drain(consumer, 50)).toEqual({
      rows: [
        [L2_MISS, 1, 0x0200, -5, 0, 0],
        [L3_MISS_IPV4, 0xffffff, 0x0a000005, 0, 0, 0],
      ],
      lost: 0,
    });
    expect(drain(consumer, 100).rows).toEqual([]);
  });

  it("takes nothing while nobody listens, and nothing old comes up when somebody does", () => {
    const { consumer, producer } = ends();
    producer.tell(L2_MISS, 1, 1, 1, 0, 0);
    consumer.open(0, MISSES);
    producer.tell(L2_MISS, 1, 2, 2, 0, 0);
    consumer.close();
    producer.tell(L2_MISS, 1, 3, 3, 0, 0);
    consumer.open(9, MISSES);
    expect(drain(consumer, 10)).toEqual({ rows: [], lost: 0 });
  });

  it("tells the same once in half a second, also across a wrap of the clock", () => {
    for (const start of [0, 0x7fffff00]) {
      const { consumer, producer } = ends();
      consumer.open(start, MISSES);
      const told = [0, 100, 499, 500, 999, 1000].map((ms) => {
        drain(consumer, (start + ms) | 0);
        producer.tell(L2_MISS, 1, 7, 7, 0, 0);
        return drain(consumer, (start + ms) | 0).rows.length;
      });
      expect(told).toEqual([1, 0, 0, 1, 0, 1]);
    }
  });

  it("counts what finds no room", () => {
    const { consumer, producer } = ends();
    consumer.open(0, MISSES);
    for (let i = 0; i < 1000; i++) producer.tell(L2_MISS, 1, 1, i, 0, 0);
    const { rows, lost } = drain(consumer, 50);
    expect(rows.length + lost).toBe(1000);
    expect(rows.map(([, , , lo]) => lo)).toEqual(Array.from({ length: rows.length }, (_, i) => i));
    expect(lost).toBeGreaterThan(0);
    producer.tell(L2_MISS, 1, 2, 2, 0, 0);
    expect(drain(consumer, 100)).toMatchObject({ rows: [[L2_MISS, 1, 2, 2, 0, 0]], lost: 0 });
  });

  it("takes of each topic what somebody listens to", () => {
    const { consumer, producer } = ends();
    consumer.open(0, DROPPED);
    producer.tell(L2_MISS, 1, 1, 1, 0, 0);
    expect([producer.listensTo(MISSES), producer.listensTo(DROPPED)]).toEqual([false, true]);
    consumer.listen(DROPPED | MISSES);
    producer.tell(L2_MISS, 1, 2, 2, 0, 0);
    expect(drain(consumer, 50).rows).toEqual([[L2_MISS, 1, 2, 2, 0, 0]]);
  });

  it("counts no drop that finds no room: the counters have it", () => {
    const { consumer, producer } = ends();
    consumer.open(0, DROPPED);
    for (let i = 0; i < 1000; i++) {
      producer.row.fill(0);
      producer.row.set([DROP, 1, i]);
      producer.commit();
    }
    const { rows, lost } = drain(consumer, 50);
    expect([rows.length, lost]).toEqual([512, 0]);
  });
});
