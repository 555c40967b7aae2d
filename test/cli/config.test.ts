/** `poplin config check` and `poplin config show`, as typed. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CommandLine } from "./command.ts";

let cli: CommandLine;
beforeEach(() => {
  cli = new CommandLine();
});
afterEach(() => cli.close());

function file(text: string): string {
  const path = join(cli.folder, "node.yaml");
  writeFileSync(path, text);
  return path;
}

describe("poplin config check", () => {
  it("says that all is fine", async () => {
    expect(await cli.poplin(`config check -c ${file("vni: 1\n")}`)).toMatchObject({
      code: 0,
      stdout: "fine\n",
    });
  });

  it("says that it has looked at no file where none is named", async () => {
    const { code, stdout } = await cli.poplin("config check");
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: "no file is looked at: --config FILE names one\nfine\n",
    });
  });

  it("names every mistake with its place, and exits with 1", async () => {
    const bad = file("vni: x\npeerz: 1\n");
    const { code, stdout } = await cli.poplin(`config check -c ${bad} --ttl 999`);
    expect(code).toBe(1);
    expect(stdout.split("\n")).toEqual([
      expect.stringMatching(/node\.yaml:1:6: vni: "x" is no whole number; /),
      expect.stringMatching(/node\.yaml:2:1: peerz: there is no such setting; did you mean `peers`\?$/),
      expect.stringMatching(/^--ttl: ttl: /),
      "3 mistakes",
      "",
    ]);
    const json = JSON.parse((await cli.poplin(`config check -c ${bad} -j`)).stdout);
    expect(json).toMatchObject({
      ok: false,
      problems: [{ setting: "vni", place: { line: 1, column: 6 } }, {}],
    });
  });

  it("says what is suspicious, and that it can be used", async () => {
    const { code, stdout } = await cli.poplin(`config check -c ${file("vni: 1\n")}`, {
      env: { POPLIN_SENDERCHECK: "mac" },
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^POPLIN_SENDERCHECK: warning: is no setting .*\ncan be used; 1 warning\n$/);
  });

  it("says that a file is not there, and that a profile is none", async () => {
    const none = await cli.poplin(`config check -c ${cli.folder}/none`);
    expect(none).toMatchObject({ code: 1, stdout: expect.stringMatching(/none: there is no such file; /) });
    expect((await cli.poplin("config check --profile kernel")).code).toBe(2);
  });
});

describe("poplin config show", () => {
  it("prints what counts, with the profile's defaults, and where it came from", async () => {
    const words = `config show -c ${file("vni: 5\n")} --profile vtep --origin`;
    const { stdout } = await cli.poplin(words, { env: { POPLIN_PORT: "4789" } });
    expect(stdout).toMatch(/^vni: 5 +# .*node\.yaml:1:1$/m);
    expect(stdout).toMatch(/^device: vxlan5 +# default$/m);
    expect(stdout).toMatch(/^learning: true +# default$/m);
    expect(stdout).toMatch(/^port: 4789 +# POPLIN_PORT$/m);
  });

  it("exits with 2 and every mistake where there is one", async () => {
    const { code, stderr } = await cli.poplin(`config show -c ${file("vni: x\n")}`);
    expect(code).toBe(2);
    expect(stderr).toContain('vni: "x" is no whole number');
  });
});
