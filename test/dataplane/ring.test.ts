import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Arena } from "../../src/dataplane/arena.ts";
import {
  ADDRESS_BYTES,
  HEAD_LENGTH,
  LENGTH,
  OFFSET,
  OUTER,
  PEER,
  Ring,
  SEGMENT,
  SLOT,
  WORDS,
} from "../../src/dataplane/ring.ts";

const SLOT_BYTES = 128;

function rings(slots: number, ...rows: number[]): Ring[] {
  const pool = new Arena(slots * SLOT_BYTES).carvePool(SLOT_BYTES, slots);
  return rows.map((n) => new Ring(pool, n));
}

describe("Ring", () => {
  it("rounds its rows up to a power of two", () => {
    const [ring] = rings(1, 5);
    expect(ring!.capacity).toBe(8);
    expect(ring!.room).toBe(8);
    expect(ring!.words.length).toBe(8 * WORDS);
    expect(ring!.addresses.length).toBe(8 * ADDRESS_BYTES);
  });

  it("prepares rows for a read: a slot each, and the room behind the headroom", () => {
    const [ring] = rings(4, 8);
    ring!.words.fill(-1);
    expect(ring!.prepare(3, 8)).toBe(3);
    for (let i = 0; i < 3; i++) {
      const row = ring!.row(i);
      const slot = ring!.words[row + SLOT]!;
      expect(ring!.words[row + OFFSET]).toBe(slot + 8);
      expect(ring!.words[row + LENGTH]).toBe(SLOT_BYTES - 8);
      for (const word of [HEAD_LENGTH, OUTER, SEGMENT]) expect(ring!.words[row + word]).toBe(0);
    }
    expect(ring!.length).toBe(0);
    ring!.publish(3, 1);
    expect(ring!.length).toBe(1);
    expect(ring!.pool.free).toBe(3);
  });

  it("prepares no more than it has rows and slots for", () => {
    const [few, many] = rings(3, 2, 8);
    expect(few!.prepare(8, 0)).toBe(2);
    few!.publish(2, 2);
    expect(few!.prepare(8, 0)).toBe(0);
    expect(many!.prepare(8, 0)).toBe(1);
    many!.publish(1, 1);
    expect(many!.prepare(8, 0)).toBe(0);
  });

  it("leaves the slots of the reserve to others", () => {
    const pool = new Arena(4 * SLOT_BYTES).carvePool(SLOT_BYTES, 4);
    const ring = new Ring(pool, 8, 3);
    expect(ring.readable).toBe(1);
    expect(ring.prepare(8, 0)).toBe(1);
    expect(ring.readable).toBe(0);
    expect(ring.prepare(8, 0)).toBe(0);
    expect(pool.free).toBe(3);
    pool.take();
    expect(ring.readable).toBe(0);
  });

  it("releases the slots of what completes, and of rows that share one only with the last", () => {
    const [ring] = rings(2, 8);
    const { pool } = ring!;
    const slot = pool.take();
    ring!.push(-1, slot, 40);
    ring!.push(-1, slot + 40, 40);
    ring!.push(slot, slot + 80, 40);
    ring!.complete(2);
    expect(pool.free).toBe(1);
    ring!.complete(1);
    expect(pool.free).toBe(2);
    expect(ring!.length).toBe(0);
  });

  it("clears in a pushed row what the caller does not have to set", () => {
    const [ring] = rings(1, 1);
    ring!.words.fill(-1);
    const row = ring!.push(0, 16, 60);
    expect([...ring!.words.subarray(row, row + WORDS)]).toEqual([0, -1, 0, 16, 60, -1, 0, 0]);
  });

  it("appends another ring's row with its address", () => {
    const [from, to] = rings(2, 2, 4);
    from!.push(0, 16, 60);
    const row = from!.push(SLOT_BYTES, SLOT_BYTES + 16, 61);
    from!.words[row + PEER] = 7;
    from!.words[row + OUTER] = 3;
    from!.addresses.fill(9, ADDRESS_BYTES);
    to!.push(0, 0, 0);
    to!.append(from!, 1);
    expect([...to!.words.subarray(WORDS, 2 * WORDS)]).toEqual([...from!.words.subarray(WORDS)]);
    expect([...to!.addresses.subarray(ADDRESS_BYTES, 2 * ADDRESS_BYTES)]).toEqual(
      new Array(ADDRESS_BYTES).fill(9),
    );
    expect(to!.length).toBe(2);
    expect(from!.length).toBe(2);
  });

  it("keeps rows in order and slots whole over any sequence of uses, also where its positions wrap", () => {
    const step = fc.record({
      op: fc.constantFrom("read", "push", "complete", "move"),
      n: fc.nat(6),
      m: fc.nat(6),
    });
    const start = fc.constantFrom(0, 0x7ffffffd, -3);
    fc.assert(
      fc.property(start, fc.array(step, { maxLength: 120 }), (at, steps) => {
        const [ring, next] = rings(10, 8, 8);
        ring!.head = ring!.tail = next!.head = next!.tail = at;
        const model = { ring: [] as number[], next: [] as number[] };
        let serial = 0;
        for (const { op, n, m } of steps) {
          if (op === "read") {
            const prepared = ring!.prepare(n, 0);
            expect(prepared).toBe(Math.min(n, 8 - model.ring.length, ring!.pool.free + prepared));
            const filled = Math.min(m, prepared);
            for (let i = 0; i < filled; i++) {
              ring!.words[ring!.row(ring!.head + i) + LENGTH] = ++serial;
              model.ring.push(serial);
            }
            ring!.publish(prepared, filled);
          } else if (op === "push" && ring!.room > 0 && ring!.pool.free > 0) {
            ring!.push(ring!.pool.take(), 0, ++serial);
            model.ring.push(serial);
          } else if (op === "complete") {
            const done = Math.min(n, model.next.length);
            next!.complete(done);
            model.next.splice(0, done);
          } else if (op === "move") {
            const moved = Math.min(n, model.ring.length, next!.room);
            for (let i = 0; i < moved; i++) next!.append(ring!, ring!.tail + i);
            ring!.forward(moved);
            model.next.push(...model.ring.splice(0, moved));
          }
          expect(lengths(ring!)).toEqual(model.ring);
          expect(lengths(next!)).toEqual(model.next);
          expect(ring!.room).toBe(8 - model.ring.length);
          expect(ring!.pool.free).toBe(10 - model.ring.length - model.next.length);
          const slots = [...values(ring!, SLOT), ...values(next!, SLOT)];
          expect(new Set(slots).size).toBe(slots.length);
        }
      }),
    );
  });
});

function values(ring: Ring, word: number): number[] {
  return Array.from({ length: ring.length }, (_, i) => ring.words[ring.row(ring.tail + i) + word]!);
}

function lengths(ring: Ring): number[] {
  return values(ring, LENGTH);
}
