/** Numbers, durations, wrapping and tables, as people are to read them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ago,
  bytes,
  count,
  duration,
  hang,
  paint,
  plural,
  styleOf,
  table,
  widthOf,
  wrap,
} from "../../src/cli/output.ts";

const PLAIN = { width: 80, color: false };
const COLORED = { width: 80, color: true };

describe("numbers", () => {
  it.each([
    [0, "0"],
    [999, "999"],
    [1000, "1,000"],
    [1234567, "1,234,567"],
    [1e15, "1,000,000,000,000,000"],
  ])("count(%d) is %s", (n, text) => expect(count(n)).toBe(text));

  it.each([
    [0, "0 B"],
    [1023, "1,023 B"],
    [1024, "1.0 KiB"],
    [1536, "1.5 KiB"],
    [1024 * 1024 - 1, "1.0 MiB"],
    [7_340_032, "7.0 MiB"],
    [5 * 1024 ** 4, "5.0 TiB"],
  ])("bytes(%d) is %s", (n, text) => expect(bytes(n)).toBe(text));

  it("plural", () => {
    expect([plural(0, "peer"), plural(1, "peer"), plural(2000, "peer")]).toEqual([
      "0 peers",
      "1 peer",
      "2,000 peers",
    ]);
  });
});

describe("times", () => {
  it.each([
    [0, "0 seconds"],
    [1, "1 second"],
    [59.9, "59 seconds"],
    [60, "1 minute"],
    [61, "1 minute, 1 second"],
    [3600, "1 hour"],
    [3601, "1 hour"],
    [3723, "1 hour, 2 minutes"],
    [86_400, "1 day"],
    [3 * 86_400 + 4 * 3600 + 5, "3 days, 4 hours"],
    [-5, "0 seconds"],
  ])("duration(%d) is %s", (n, text) => expect(duration(n)).toBe(text));

  it("ago", () => {
    const now = Date.parse("2026-11-23T12:00:00Z");
    expect(ago("2026-11-23T11:59:00Z", now)).toBe("1 minute ago");
    expect(ago("2026-11-23T11:59:59.500Z", now)).toBe("just now");
    expect(ago("2026-11-23T12:00:09Z", now)).toBe("just now");
    expect(ago("yesterday", now)).toBe("yesterday");
  });
});

describe("colour", () => {
  it("only for a terminal", () => {
    expect(styleOf({ isTTY: true, columns: 100 }, {})).toEqual({ width: 100, color: true });
    expect(styleOf({}, {})).toEqual({ width: 80, color: false });
  });

  it("not for NO_COLOR, unless it is empty, and not for a dumb terminal", () => {
    expect(styleOf({ isTTY: true }, { NO_COLOR: "1" }).color).toBe(false);
    expect(styleOf({ isTTY: true }, { NO_COLOR: "" }).color).toBe(true);
    expect(styleOf({ isTTY: true }, { TERM: "dumb" }).color).toBe(false);
  });

  it("takes no room", () => {
    const text = paint(COLORED, "red", "failed");
    expect(text).not.toBe("failed");
    expect(widthOf(text)).toBe(6);
    expect(paint(PLAIN, "red", "failed")).toBe("failed");
  });
});

describe("wrap", () => {
  it("keeps every word, in order, in lines that fit", () => {
    const words = fc.array(fc.stringMatching(/^[a-z]{1,20}$/), { maxLength: 40 });
    fc.assert(
      fc.property(words, fc.integer({ min: 20, max: 80 }), (list, width) => {
        const lines = wrap(list.join(" "), width);
        expect(lines.join(" ")).toBe(list.join(" "));
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(width);
      }),
    );
  });

  it("leaves a word that is too long whole", () => {
    expect(wrap("a 0123456789 b", 5)).toEqual(["a", "0123456789", "b"]);
  });

  it("hangs behind a first word", () => {
    expect(hang("  why  ", "one two three", 14)).toEqual(["  why  one two", "       three"]);
  });
});

describe("table", () => {
  it("lines up columns, left and right, with nothing behind a line", () => {
    const columns = [{ title: "NAME" }, { title: "N", align: "right" as const }, { title: "" }];
    expect(
      table(
        columns,
        [
          ["a", "1", ""],
          ["longer", "1,000", "x"],
        ],
        PLAIN,
      ),
    ).toEqual(["NAME        N", "a           1", "longer  1,000  x"]);
  });

  it("lines up coloured cells too", () => {
    const lines = table([{ title: "A" }, { title: "B" }], [[paint(COLORED, "green", "ok"), "x"]], PLAIN);
    expect(lines.map(widthOf)).toEqual([5, 5]);
  });

  it("has titles for no rows", () => {
    expect(table([{ title: "A" }], [], PLAIN)).toEqual(["A"]);
  });
});
