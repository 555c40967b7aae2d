/** Completion: what a TAB is answered, and the shells' own part of it. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FLANNELD_FLAGS } from "../../src/agent/flannel/flag-table.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { completeWords } from "../../src/cli/complete/words.ts";
import { built, describeWith, tool } from "../helpers/needs.ts";
import { CommandLine } from "./command.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const MAC = "02:00:00:00:00:01";

let cli: CommandLine;

beforeEach(() => {
  cli = new CommandLine();
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await cli.close();
});

/** @returns the words, and what the shell is told beside them. A blank at the end begins another word */
async function completed(line: string): Promise<{ words: string[]; directive: string }> {
  const lines: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((text: string) => void lines.push(text));
  vi.stubEnv("POPLIN_SOCKET", cli.socket);
  await completeWords(line.split(" "));
  log.mockRestore();
  return { directive: lines.pop()!, words: lines.map((one) => one.split("\t")[0]!) };
}

const words = async (line: string): Promise<string[]> => (await completed(line)).words;

/** An environment in which `poplin` is ours. */
function withPoplin(): Record<string, string> {
  const bin = join(cli.folder, "bin");
  mkdirSync(bin);
  symlinkSync(MAIN, join(bin, "poplin"));
  const path = `${bin}:${join(process.execPath, "..")}:${process.env.PATH}`;
  return { PATH: path, POPLIN_SOCKET: cli.socket, HOME: cli.folder, TERM: "dumb" };
}

describe("without an agent", () => {
  it("every command, and every flag of flanneld's", async () => {
    expect((await words("")).sort()).toEqual([...Object.keys(COMMANDS), "help"].sort());
    const flags = Object.keys(FLANNELD_FLAGS);
    expect((await words("flanneld --")).sort()).toEqual(flags.map((name) => `--${name}`).sort());
  });

  it.each([
    ["fd", ["fdb"]],
    ["fdb a", ["add", "append"]],
    ["config ", ["check", "show"]],
    ["agent --sender", ["--sender-check"]],
    ["config show --orig", ["--origin"]],
    ["fdb add --sock", ["--socket"]],
    ["complete ", ["bash", "zsh", "fish"]],
    ["help co", ["config", "complete"]],
    ["fdb add 02:00:00:00:00:01 d", ["dst", "dev"]],
    ["fdb add 02:00:00:00:00:01 dst 192.0.2.1 ", ["port", "dev", "vni"]],
    ["stats dev ", []],
    ["monitor --reason UNK", ["UNKNOWN_VTEP"]],
    ["monitor --mac ", []],
    ["fdb why ", []],
    ["nonsense ", []],
  ])("%s", async (line, expected) => {
    expect(await completed(line)).toEqual({ words: expected, directive: ":4" });
  });

  it.each([
    "agent --config ",
    "agent -c ",
    "agent --config=/et",
    "report -o ",
    "flanneld --kubeconfig-file ",
  ])("%s: the name of a file", async (line) => {
    expect(await completed(line)).toEqual({ words: [], directive: ":0" });
  });

  it("interfaces are this node's", async () => {
    expect(await words("capture -i l")).toContain("lo");
    expect(await words("flanneld --iface=l")).toContain("lo");
  });

  it("a shell that there is no script for is named", async () => {
    const { code, stderr } = await cli.poplin("complete tcsh");
    expect([code, stderr]).toEqual([2, expect.stringContaining("bash, zsh, fish")]);
  });
});

describe("with an agent", () => {
  beforeEach(async () => {
    await cli.agent.changeFdb({ op: "add", mac: MAC, dst: "192.0.2.1" });
    await cli.agent.changeNeighbour({ op: "add", address: "10.0.0.5", mac: MAC });
    await cli.startAgent();
  });

  it.each([
    ["stats dev ", ["flannel.1"]],
    ["top vni ", ["1"]],
    ["fdb --vni ", ["1"]],
    ["fdb why ", [MAC]],
    ["fdb del 02:", [MAC]],
    [`fdb replace ${MAC} dst `, ["172.19.0.3", "172.19.0.4"]],
    ["neigh del ", ["10.0.0.5"]],
    ["monitor --mac ", [MAC]],
    ["neigh replace 10.0.0.5 lladdr ", [MAC]],
  ])("%s", async (line, expected) => {
    expect(await words(line)).toEqual(expected);
  });

  it("of the socket that the line names", async () => {
    expect(await words("fdb --socket /nowhere why ")).toEqual([]);
  });

  it("one that does not answer is not waited for", async () => {
    cli.agent.answer = () => new Promise(() => {});
    expect(await words("stats dev ")).toEqual([]);
  });
});

describeWith([tool("bash"), built()], "bash", () => {
  function shell(): { env: Record<string, string>; script: string } {
    const env = withPoplin();
    const script = join(cli.folder, "poplin.bash");
    writeFileSync(script, execFileSync("poplin", ["complete", "bash"], { env }));
    return { env, script };
  }

  it("its function completes what readline would ask for, and runs nothing of the line", async () => {
    await cli.agent.changeFdb({ op: "add", mac: MAC, dst: "192.0.2.1" });
    await cli.startAgent();
    const { env, script } = shell();
    const ask = (line: string): Promise<string> =>
      new Promise((resolve) => {
        const asked = `source '${script}'; COMP_LINE=$1 COMP_POINT=\${#1}; _poplin poplin; printf '%s\\n' "\${COMPREPLY[@]}"`;
        const child = spawn("bash", ["--norc", "-c", asked, "bash", line], { env });
        let text = "";
        child.stdout.setEncoding("utf8").on("data", (more: string) => {
          text += more;
        });
        child.on("close", () => resolve(text.trim()));
      });
    expect(await ask("poplin sta")).toBe("status\nstats");
    expect(await ask("poplin fdb why ")).toBe(MAC);
    // Readline has "02:00:" on the line already.
    expect(await ask("poplin fdb why 02:00:")).toBe("00:00:00:01");
    expect(await ask(`poplin fdb why $(touch${"\t"}${cli.folder}/ran) `)).not.toContain("ran");
    expect(() => readFileSync(join(cli.folder, "ran"))).toThrow("ENOENT");
  });

  it("a TAB on a terminal completes the word", async () => {
    const { env, script } = shell();
    const terminal: ChildProcess = spawn("script", ["-qec", `bash --rcfile ${script} -i`, "/dev/null"], {
      env,
    });
    cli.atEnd(() => terminal.kill("SIGKILL"));
    let text = "";
    terminal.stdout!.setEncoding("utf8").on("data", (more: string) => {
      text += more;
    });
    terminal.stdin!.write("echo rea'd'y\n");
    await vi.waitFor(() => expect(text).toContain("ready"), 25_000);
    terminal.stdin!.write("echo poplin; poplin reconc\t--dry\t--help; exit\n");
    await new Promise((resolve) => terminal.on("close", resolve));
    expect(text).toContain("Usage: poplin reconcile");
  });
});

describe.each(["zsh", "fish"])("%s", (name) => {
  describeWith([tool(name)], "its script", () => {
    it("is one that it can read, and names poplin", async () => {
      const { code, stdout } = await cli.poplin(`complete ${name}`);
      expect(code).toBe(0);
      const file = join(cli.folder, `poplin.${name}`);
      writeFileSync(file, stdout);
      execFileSync(name, ["-n", file]);
      expect(stdout).toContain("poplin complete -- ");
    });
  });
});

describeWith([tool("zsh"), built()], "zsh", () => {
  it("a TAB on a terminal completes the word", async () => {
    const env = withPoplin();
    // zsh makes the terminal itself (zpty), and waits for what stands there.
    const script = `
      zmodload zsh/zpty
      zpty z "zsh -f -i"
      zpty -w z 'PS1=; autoload -U compinit; compinit -u -D; source <(poplin complete zsh); echo rea""dy'
      zpty -r z seen '*ready*'
      zpty -w -n z $'poplin reconc\\t--dry\\t--help\\n'
      zpty -r z seen '*Usage: poplin reconcile*'
      print -r -- $seen
      zpty -d z`;
    const child = spawn("zsh", ["-f", "-c", script], { env, stdio: ["ignore", "pipe", "inherit"] });
    cli.atEnd(() => child.kill("SIGKILL"));
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (more: string) => {
      text += more;
    });
    await new Promise((resolve) => child.on("close", resolve));
    expect(text).toContain("Usage: poplin reconcile");
  });
});

describeWith([tool("fish"), built()], "fish", () => {
  it("offers what the agent knows, with what it is", async () => {
    await cli.startAgent();
    const env = withPoplin();
    const child = spawn("fish", ["-c", "poplin complete fish | source; complete -C 'poplin stats dev '"], {
      env,
    });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (more: string) => {
      text += more;
    });
    await new Promise((resolve) => child.on("close", resolve));
    expect(text).toBe("flannel.1\tVNI 1\n");
  });
});
