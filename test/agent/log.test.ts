import { describe, expect, it } from "vitest";
import { Log } from "../../src/agent/log.ts";

describe("Log", () => {
  it("writes a line with time and level, up to its level, and indents what follows the first line", () => {
    const lines: string[] = [];
    const log = new Log("warn", (line) => lines.push(line));
    log.error("first\nsecond");
    log.warn("heard");
    log.info("not heard");
    log.setLevel("debug");
    log.debug("heard now");
    expect(lines.map((line) => line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z /, ""))).toEqual([
      "error first\n  second\n",
      "warn  heard\n",
      "debug heard now\n",
    ]);
  });
});
