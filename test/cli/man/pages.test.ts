/** The manual pages: whole, without a warning of groff's or man's, for 80 columns. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FLANNELD_FLAGS } from "../../../src/agent/flannel/flag-table.ts";
import { COMMANDS } from "../../../src/cli/commands.ts";
import { escapeRoff, prose } from "../../../src/cli/man/roff.ts";
import { SECTIONS } from "../../../src/cli/man/sections.ts";
import { writeManPages } from "../../../src/cli/man/write.ts";
import { buildProgram } from "../../../src/cli/program.ts";
import { describeWith, tool } from "../../helpers/needs.ts";

/** Bold as a terminal of old has it: a letter, a step back, the letter again. */
function withoutBold(text: string): string {
  const pieces = text.split("\b");
  return pieces.map((piece, i) => (i < pieces.length - 1 ? piece.slice(0, -1) : piece)).join("");
}

describe("text for roff", () => {
  it.each([
    ["a-b --c", "a\\-b \\-\\-c"],
    ["C:\\x", "C:\\ex"],
    [".TH", "\\&.TH"],
    ["it's `x` ^~", "it\\(aqs \\(gax\\(ga \\(ha\\(ti"],
    ["URL,…", "URL,\\[u2026]"],
  ])("%s", (text, escaped) => {
    expect(escapeRoff(text)).toBe(escaped);
  });

  it("what is code is bold, and no line begins with a request", () => {
    expect(prose("see `ip -d`\n here")).toBe("see \\fBip \\-d\\fR here");
    expect(prose("`.x` is")).toBe("\\fB\\&.x\\fR is");
    expect(prose("'x")).not.toMatch(/^'/);
  });
});

describeWith([tool("groff"), tool("man")], "every page", () => {
  const folder = mkdtempSync(join(tmpdir(), "poplin-man-"));
  let program: Command;
  beforeAll(async () => {
    await writeManPages(folder);
    program = await buildProgram();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const names = ["poplin", ...Object.keys(COMMANDS).map((name) => `poplin-${name}`)];

  /** As a reader has it, on a terminal of 80 columns. */
  function read(name: string): { text: string; complaints: string } {
    const { stdout, stderr } = spawnSync("man", ["--warnings", "--local-file", join(folder, `${name}.1`)], {
      env: {
        PATH: process.env.PATH,
        MANWIDTH: "80",
        MAN_KEEP_FORMATTING: "",
        LC_ALL: "C.UTF-8",
        MANPAGER: "cat",
      },
      encoding: "utf8",
    });
    return { text: withoutBold(stdout), complaints: stderr };
  }

  it("there is one for each command, and no other", () => {
    const pages = names.map((name) => `${name}.1`).sort();
    expect(readdirSync(folder).sort()).toEqual(pages);
    // npm installs those that package.json names.
    const manifest = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
    const { man } = JSON.parse(manifest) as { man: string[] };
    expect([...man].sort()).toEqual(pages.map((page) => `./dist/man/${page}`));
    expect(Object.keys(SECTIONS).filter((name) => name !== "" && !(name in COMMANDS))).toEqual([]);
  });

  it.each(names)("%s: no warning, 80 columns, sections in their order", (name) => {
    const warned = spawnSync("groff", ["-man", "-ww", "-Tutf8", "-z", join(folder, `${name}.1`)], {
      encoding: "utf8",
    });
    expect([warned.status, warned.stderr]).toEqual([0, ""]);
    const { text, complaints } = read(name);
    expect(complaints).toBe("");
    for (const line of text.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
    const order =
      "NAME SYNOPSIS DESCRIPTION COMMANDS OPTIONS EXIT·STATUS ENVIRONMENT FILES EXAMPLES SEE·ALSO".split(" ");
    const found = [...text.matchAll(/^[A-Z][A-Z ]+$/gm)].map(([title]) =>
      order.indexOf(title.replace(" ", "·")),
    );
    expect(found).toEqual([...found].sort((a, b) => a - b));
    expect(found.length).toBeGreaterThanOrEqual(6);
    expect(text).toContain("0 All is well.".replace(" ", "      "));
  });

  it("every option of every command, and of its own commands, is in its page", () => {
    for (const command of program.commands) {
      const { text } = read(`poplin-${command.name()}`);
      expect(text).toContain(command.summary().split(" ")[0]);
      if (command.name() === "flanneld") continue;
      for (const one of [command, ...command.commands]) {
        if (one !== command) expect(text).toMatch(new RegExp(`^ {7}${one.name()} `, "m"));
        for (const { long } of one.createHelp().visibleOptions(one))
          expect(text, long).toMatch(new RegExp(`^ +(-\\w, )?${long}\\b`, "m"));
      }
    }
  });

  it("every flag of flanneld's, with its variable", () => {
    const { text } = read("poplin-flanneld");
    for (const name of Object.keys(FLANNELD_FLAGS)) {
      expect(text).toMatch(new RegExp(`^ {7}--?${name}\\b`, "m"));
      expect(text.replace(/\s+/g, " ")).toContain(`FLANNELD_${name.toUpperCase().replaceAll("-", "_")}.`);
    }
  });

  it("poplin(1) names all of them, and what others call poplin's is there", () => {
    const { text } = read("poplin");
    for (const name of Object.keys(COMMANDS)) expect(text).toContain(`poplin-${name}(1)`);
    for (const name of names)
      for (const [, other] of read(name).text.matchAll(/\b(poplin[\w-]*)\(1\)/g))
        expect(names).toContain(other);
  });

  it("whatis finds them", () => {
    const found = execFileSync("lexgrog", ["--man", join(folder, "poplin-top.1")], { encoding: "utf8" });
    expect(found).toContain('"poplin-top - show what the overlays do right now, again every second"');
  });
});
