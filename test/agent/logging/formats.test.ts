import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { formatterOf, journal, pretty } from "../../../src/agent/logging/formats.ts";
import { built, describeWith } from "../../helpers/needs.ts";

it("the journal's form has the level in front of each line, and no time: journald makes an entry of each", () => {
  expect(journal("error", "one\ntwo", {})).toBe("<3>one\n<3>  two\n");
  expect(journal("debug", "one", {})).toBe("<7>one\n");
});

describeWith([built()], "a log without a setting", () => {
  it("is text, in the journal's form only where standard error is the journal's stream", () => {
    expect(formatterOf("auto", {})).toBe(pretty);
    expect(formatterOf("auto", { JOURNAL_STREAM: "1:1" })).toBe(pretty);
    // As systemd says it: device and inode of what standard error is. Here that is a pipe.
    const script = `
    const { fstatSync } = await import("node:fs");
    const { formatterOf } = await import("./dist/agent/logging/formats.js");
    const { dev, ino } = fstatSync(2);
    for (const format of ["auto", "pretty"])
      process.stderr.write(formatterOf(format, { JOURNAL_STREAM: dev + ":" + ino })("info", "hello", {}));`;
    const { stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
    });
    expect(stderr).toMatch(/^<6>hello\n\d{4}-.*Z info {2}hello\n$/);
  });
});
