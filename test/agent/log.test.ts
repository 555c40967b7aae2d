import { describe, expect, it } from "vitest";
import { fieldsOf, Log } from "../../src/agent/log.ts";

describe("Log", () => {
  it("writes a line with time and level, up to its level, and indents what follows the first line", () => {
    const lines: string[] = [];
    const log = new Log("warn", (line) => lines.push(line));
    log.error("first\nsecond");
    log.warn("heard");
    log.info("not heard");
    log.setLevel("debug");
    log.debug("heard now");
    expect(log.level).toBe("debug");
    expect(lines.map((line) => line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+Z /, ""))).toEqual([
      "error first\n  second\n",
      "warn  heard\n",
      "debug heard now\n",
    ]);
  });

  it("writes JSON from the moment that it is asked for, with an error's code and remedy as fields, and back", () => {
    const lines: string[] = [];
    const log = new Log("info", (line) => lines.push(line));
    log.setFormat("json");
    const error = Object.assign(new Error("two\nlines"), {
      code: "HOST_FILE",
      remedy: "see ls -l",
      errno: 2,
    });
    log.error(error.message, fieldsOf(error));
    log.warn('"quoted"', { device: "flannel.1", peer: "10.0.0.2" });
    log.debug("not heard");
    log.setFormat("pretty");
    log.info("plain");
    const parsed = lines.slice(0, 2).map((line) => JSON.parse(line));
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(parsed).toEqual([
      { level: "error", time, msg: "two\nlines", code: "HOST_FILE", remedy: "see ls -l" },
      { level: "warn", time, msg: '"quoted"', device: "flannel.1", peer: "10.0.0.2" },
    ]);
    expect(lines.every((line) => line.endsWith("\n"))).toBe(true);
    expect(lines).toHaveLength(3);
    expect(lines[2]).toMatch(/Z info {2}plain\n$/);
  });

  it("takes no fields from what is no error of ours", () => {
    expect([null, "text", new Error("x"), { code: 5, remedy: "" }].map(fieldsOf)).toEqual([{}, {}, {}, {}]);
  });
});
