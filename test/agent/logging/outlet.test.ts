import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LIMIT, Outlet } from "../../../src/agent/logging/outlet.ts";

/** A reader that takes as many bytes as it is told. */
class Reader {
  takes = Number.POSITIVE_INFINITY;
  text = "";
  closed = 0;

  write(bytes: Uint8Array): number {
    if (this.takes < 0) return -1;
    const n = Math.min(bytes.length, this.takes);
    this.takes -= n;
    this.text += Buffer.from(bytes.subarray(0, n)).toString();
    return n;
  }

  close(): void {
    this.closed++;
  }
}

const LINE = `${"x".repeat(1023)}\n`;
let reader: Reader;
let outlet: Outlet;

beforeEach(() => {
  vi.useFakeTimers();
  reader = new Reader();
  outlet = new Outlet(reader, (lost) => `lost ${lost}\n`);
});
afterEach(() => vi.useRealTimers());

describe("a log that nobody reads", () => {
  it("goes out at once where somebody does", () => {
    outlet.write("a\n");
    outlet.write("b\n");
    expect([reader.text, vi.getTimerCount()]).toEqual(["a\nb\n", 0]);
  });

  it("waits for its reader, also in the middle of a line, and comes out in order", () => {
    reader.takes = 3;
    for (const line of ["one\n", "two\n", "three\n"]) outlet.write(line);
    expect(reader.text).toBe("one");
    reader.takes = 4;
    vi.advanceTimersByTime(100);
    expect(reader.text).toBe("one\ntwo");
    reader.takes = Number.POSITIVE_INFINITY;
    vi.advanceTimersByTime(100);
    expect([reader.text, vi.getTimerCount()]).toEqual(["one\ntwo\nthree\n", 0]);
  });

  it("never keeps more than its limit; what is lost is counted, and said where the gap is", () => {
    reader.takes = 0;
    const kept = LIMIT / LINE.length;
    for (let i = 0; i < kept + 7; i++) outlet.write(LINE);
    expect(outlet.lostInAll).toBe(7);
    reader.takes = LINE.length; // room for one, but not yet for those behind the gap
    vi.advanceTimersByTime(100);
    outlet.write("behind the gap\n");
    expect(outlet.lostInAll).toBe(8);
    reader.takes = Number.POSITIVE_INFINITY;
    vi.advanceTimersByTime(100);
    expect(reader.text).toBe(`${LINE.repeat(kept)}lost 8\n`);
    outlet.write("heard\n");
    expect(reader.text.endsWith("lost 8\nheard\n")).toBe(true);
    expect([outlet.lostInAll, vi.getTimerCount()]).toEqual([8, 0]);
  });

  it("is forgotten where the reader is gone", () => {
    reader.takes = 0;
    outlet.write("a\n");
    reader.takes = -1;
    vi.advanceTimersByTime(100);
    reader.takes = 100;
    outlet.write("b\n");
    expect([reader.text, vi.getTimerCount()]).toEqual(["", 0]);
  });

  it("has one last try at the end", () => {
    reader.takes = 0;
    outlet.write("last words\n");
    reader.takes = 100;
    outlet.close();
    expect([reader.text, reader.closed, vi.getTimerCount()]).toEqual(["last words\n", 1, 0]);
  });
});
