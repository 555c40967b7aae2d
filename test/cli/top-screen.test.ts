/** `poplin top` on a terminal, a real one as far as it can tell: a pty that script(1) makes. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { healthyStatus } from "../agent/api/fake-agent.ts";
import { built, describeWith, tool } from "../helpers/needs.ts";
import { CommandLine } from "./command.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const ENTER = "\u001b[?1049h";
const LEAVE = "\u001b[?7h\u001b[?25h\u001b[?1049l";
const SETTINGS = "shell's own settings:";

describeWith([tool("script"), tool("stty"), built()], "on a terminal", () => {
  let cli: CommandLine;
  let shell: ChildProcess;
  let text: string;

  /** A shell on a terminal of 12 rows that runs top, and says what came of it and of the terminal's settings. */
  function start(env: Record<string, string> = {}, words = ""): void {
    const top = `'${process.execPath}' '${MAIN}' top -d 0.2 ${words}`;
    const script = `stty rows 12 cols 60; stty -g; echo $$ $PPID; ${top}; echo "exit $?"; echo "${SETTINGS}"; stty -g`;
    shell = spawn("script", ["-qec", script, "/dev/null"], {
      env: { PATH: process.env.PATH, POPLIN_SOCKET: cli.socket, TERM: "xterm", ...env },
    });
    cli.atEnd(() => shell.kill("SIGKILL"));
    text = "";
    shell.stdout!.setEncoding("utf8").on("data", (more: string) => {
      text += more;
    });
  }

  /** Waits for words, of which only those behind `from` count. */
  const says = (words: string, from = 0) =>
    vi.waitFor(() => expect(text.slice(from)).toContain(words), 25_000);

  /** The process of top: the shell's child. */
  async function pid(): Promise<number> {
    await says(ENTER);
    const parent = /^(\d+) \d+\r?$/m.exec(text)![1]!;
    return Number(readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim());
  }

  /** The screen is given back, last, and the terminal has the settings that it had. */
  async function restored(code: number): Promise<void> {
    await once(shell, "close");
    const [picture, rest] = text.split(LEAVE);
    expect(picture).toContain(ENTER);
    expect(rest).toMatch(new RegExp(`^exit ${code}\r?\n`));
    const [, before, after] = /^(\S+:\S+:\S+)\r?\n[\s\S]*settings:\r?\n(\S+)/m.exec(text)!;
    expect(after).toBe(before);
  }

  beforeEach(async () => {
    cli = new CommandLine();
    cli.agent.answer = async () => healthyStatus({ pid: process.pid });
    await cli.startAgent();
  });
  afterEach(() => cli.close());

  it.each([
    ["q", "q"],
    ["Ctrl-C", "\u0003"],
  ])("%s gives it back", async (_name, key) => {
    start();
    await says("flannel.1");
    shell.stdin!.write(key);
    await restored(0);
  });

  it("so does SIGTERM", async () => {
    start();
    process.kill(await pid(), "SIGTERM");
    await restored(0);
  });

  it("an agent that is gone is said in the picture, and it goes on with the next", async () => {
    start();
    await says("flannel.1");
    await cli.stopAgent();
    await says("no answer");
    await cli.startAgent();
    await says("flannel.1", text.length);
    shell.stdin!.write("q");
    await restored(0);
  });

  it("what ends it is said when it is given back", async () => {
    start({}, "dev flannel.1");
    await says("flannel.1 ");
    const other = healthyStatus().device;
    cli.agent.answer = async () => healthyStatus({ device: { ...other, name: "vx0" } });
    await once(shell, "close");
    const [, rest] = text.split(LEAVE);
    expect(rest).toContain("poplin: the agent has no overlay with device flannel.1");
    expect(rest).toContain("exit 2");
  });

  it("another size is another picture: as many columns and rows as there are", async () => {
    start({ NO_COLOR: "1" });
    await says("flannel.1");
    const tty = readlinkSync(`/proc/${await pid()}/fd/1`);
    const rows = () => text.split("\u001b[H").at(-2)!.split("\r\n").length;
    await vi.waitFor(() => expect(rows()).toBeGreaterThan(5), 25_000);
    execFileSync("stty", ["-F", tty, "rows", "5", "cols", "100"]);
    await vi.waitFor(() => expect(rows()).toBeLessThanOrEqual(5), 25_000);
    shell.stdin!.write("q");
    await once(shell, "close");
  });

  it("a number of looks is blocks that stay", async () => {
    start({}, "-n 1");
    await once(shell, "close");
    expect(text).toContain("flannel.1");
    expect(text).not.toContain(ENTER);
  });

  it("colour is left out for who does not want it; a dumb terminal gets blocks", async () => {
    start({ NO_COLOR: "1" });
    await says("flannel.1");
    expect(text).not.toContain("\u001b[1m");
    shell.stdin!.write("q");
    await restored(0);
    start({ TERM: "dumb" });
    await says("flannel.1");
    expect(text).not.toContain("\u001b");
    shell.kill("SIGKILL");
  });
});
