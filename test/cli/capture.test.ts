/** `poplin capture` as a process, where it cannot capture. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CommandLine } from "./command.ts";

let cli: CommandLine;

beforeEach(() => {
  cli = new CommandLine();
});

afterEach(() => cli.close());

describe("poplin capture", () => {
  it("without the cap package names it and what it needs", async () => {
    const hook = join(cli.folder, "no-cap.cjs");
    writeFileSync(
      hook,
      `const Module = require("node:module");
       const load = Module._load;
       Module._load = (name, ...rest) => {
         if (name === "cap") throw Object.assign(new Error("Cannot find module 'cap'"), { code: "MODULE_NOT_FOUND" });
         return load(name, ...rest);
       };`,
    );
    const { code, stdout, stderr } = await cli.poplin("capture -i lo", {
      env: { NODE_OPTIONS: `--require=${hook}` },
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain('poplin: capturing needs the optional package "cap"');
    expect(stderr).toContain("libpcap-dev");
    expect(stderr).toContain("compiler");
  });
});
