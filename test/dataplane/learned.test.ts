/** What was learned, handed from one dataplane to another, and made one of several queues'. */
import { describe, expect, it } from "vitest";
import { joinLearned, LEARNED_WORDS, type LearnedRows } from "../../src/dataplane/learned.ts";
import type { Lesson } from "../../src/dataplane/lessons.ts";
import { frame, vxlan } from "./frames.ts";
import { setUp } from "./ports.ts";

const SENDER = Uint8Array.of(172, 19, 0, 3);

/** A dataplane that learns. */
function learning(maxaddress = 0) {
  return setUp(undefined, { learning: true, ageing: 300, maxaddress, senderCheck: "off" });
}

/** Has it hear from MACs 06:00:00:00:xx:xx. */
function hear({ underlay, loop }: ReturnType<typeof learning>, macs: number): void {
  for (let i = 0; i < macs; i++) {
    const src = `06:00:00:00:${hex(i >> 8)}:${hex(i & 0xff)}`;
    underlay.incoming.push(vxlan(frame({ src })));
  }
  while (underlay.incoming.length > 0 || loop.turn() > 0) loop.turn();
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

describe("what was learned", () => {
  it("is the same in another dataplane: rows, packets, and how many there may be", () => {
    const [old, next] = [learning(), learning()];
    hear(old, 500);
    const [from] = old.dataplane.overlays;
    const [to] = next.dataplane.overlays;
    to!.relearn(from!.learned());
    const sorted = (rows: readonly { mac: string }[]) => rows.toSorted((a, b) => (a.mac < b.mac ? -1 : 1));
    expect(to!.rows()).toHaveLength(502);
    expect(sorted(to!.rows())).toEqual(sorted(from!.rows()));
    for (const mac of ["06:00:00:00:00:00", "06:00:00:00:01:f3"])
      expect(to!.why(mac)).toEqual(from!.why(mac));
    // They are its own from then on: forgotten when somebody says so, with what they refer to.
    expect(to!.flush()).toBe(500);
    to!.relearn(from!.learned());
    to!.relearn(from!.learned());
    expect(to!.rows()).toHaveLength(502);
    hear(next, 500);
    expect(next.counters.get("fdbLearned")).toBe(0);
  });

  it("leaves alone what is static, and counts against the limit", () => {
    const [old, next] = [learning(), learning(500)];
    hear(old, 500);
    const { dataplane } = next;
    dataplane.update({ op: "add", mac: "06:00:00:00:00:00", address: Uint8Array.of(172, 19, 0, 9), port: 1 });
    dataplane.overlays[0]!.relearn(old.dataplane.overlays[0]!.learned());
    expect(dataplane.why("06:00:00:00:00:00")).toMatchObject([
      { row: { dst: "172.19.0.9", state: "permanent" } },
    ]);
    hear(next, 502);
    // 499 were handed over, and one more may be.
    expect([next.counters.get("fdbLearned"), next.counters.get("fdbFull")]).toEqual([1, 1]);
  });
});

describe("what several queues have learned", () => {
  const lesson = (port: number): Lesson => {
    return { at: 1, address: "172.19.0.3", port, length: 1, frame: Uint8Array.of(port) };
  };
  const rows = (words: number[][], vteps: number, lessons: Lesson[]): LearnedRows => {
    const list = Array.from({ length: vteps }, (_, i) => ({ address: SENDER, port: 1000 * vteps + i }));
    return { words: Int32Array.from(words.flat()), vteps: list, lessons };
  };

  it("is one row for each MAC, the one in use last, with the packet of whoever knows it", () => {
    const one = rows(
      [
        [1, 1, 0, 9, 50, -1, 0, 1],
        [1, 2, 0, 1, 50, -1, 0, 0],
      ],
      1,
      [lesson(1)],
    );
    const other = rows(
      [
        [1, 2, 1, 5, 50, 3, 1, 2],
        [1, 1, 0, 2, 50, -1, 0, 0],
        [1, 3, 1, 0, 0, -1, 0, 1],
      ],
      2,
      [lesson(2), lesson(3)],
    );
    const { words, vteps, lessons } = joinLearned([one, other]);
    const byMac = Array.from({ length: words.length / LEARNED_WORDS }, (_, i) => [
      ...words.slice(i * LEARNED_WORDS, (i + 1) * LEARNED_WORDS),
    ]);
    expect(byMac).toEqual([
      [1, 1, 1, 2, 50, -1, 0, 1],
      [1, 2, 0, 1, 50, -1, 0, 3],
      [1, 3, 2, 0, 0, -1, 0, 2],
    ]);
    expect(vteps.map(({ port }) => port)).toEqual([1000, 2000, 2001]);
    expect(lessons.map(({ port }) => port)).toEqual([1, 2, 3]);
    expect(joinLearned([one])).toBe(one);
  });
});
