/** The built command as a process: what it prints, where, and what it exits with. */
import { once } from "node:events";
import { chmodSync, chownSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { healthyStatus } from "../agent/api/fake-agent.ts";
import { CommandLine } from "./command.ts";

const ROOT = process.getuid?.() === 0;
const NOBODY = 65_534;
const COMMANDS =
  "status wait stats top fdb neigh lease reconcile privileges doctor ping log-level events monitor watch report explain whatif walk learn capture agent vtep config cleanup complete demo lab".split(
    " ",
  );

let cli: CommandLine;

beforeEach(() => {
  cli = new CommandLine();
});

afterEach(() => cli.close());

describe("without an agent", () => {
  it("--version is that of package.json", async () => {
    const manifest = new URL("../../package.json", import.meta.url);
    const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
    expect(await cli.poplin("--version")).toEqual({ code: 0, stdout: `poplin ${version}\n`, stderr: "" });
  });

  it("--help names every command and the exit codes, within 80 columns", async () => {
    const { code, stdout } = await cli.poplin("--help");
    expect(code).toBe(0);
    for (const name of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${name} `, "m"));
    expect(stdout).toContain("3 agent not reachable");
    for (const line of stdout.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it.each([...COMMANDS, ...["fdb add", "fdb show", "fdb why", "fdb flush"]])(
    "%s --help exits with 0",
    async (command) => {
      const { code, stdout, stderr } = await cli.poplin(`${command} --help`);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain(`Usage: poplin ${command}`);
    },
  );

  it("agent --help lists the settings as flags", async () => {
    const { stdout } = await cli.poplin("agent --help");
    for (const flag of [
      "--config <FILE>",
      "--vni <NUMBER>",
      "--sender-check <MODE>",
      "--no-ephemeral",
      "--offload <NAME=off...>",
    ]) {
      expect(stdout).toContain(flag);
    }
  });

  it.each(["", "status", "stats", "fdb", "fdb add aa:bb:cc:dd:ee:ff dst 192.0.2.1", "status --brief"])(
    "3 and what to do for `poplin %s`",
    async (args) => {
      const { code, stdout, stderr } = await cli.poplin(args);
      expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
      expect(stderr).toContain(`no agent is running here: there is no socket at ${cli.socket}`);
      expect(stderr).toContain("→ start one with `poplin agent --config FILE`");
    },
  );

  it.each([
    ["statsu", "Did you mean"],
    ["satus", "Did you mean status?"],
    ["status --breif", "Did you mean --brief?"],
    ["status extra", "too many arguments"],
    ["ping", "→ `poplin ping --help` says how it is used"],
    ["config chekc", "→ `poplin config --help` says how it is used"],
    ["complete tcsh", "'tcsh' is no shell: it is one of bash, zsh, fish"],
    ["fdb ad aa:bb:cc:dd:ee:ff", 'unknown word "ad"'],
    ["fdb add aa:bb:cc:dd:ee:ff", "such as: poplin fdb add"],
    ["capture -c none", "a whole number"],
    ["cleanup --device a/b", "--device"],
    ["agent --sender-check loose", "--sender-check"],
  ])("2 for `poplin %s`", async (args, hint) => {
    const { code, stdout, stderr } = await cli.poplin(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(hint);
    expect(stderr).toMatch(/^poplin: /);
  });

  it.each([
    ["-j", 3, "AGENT_NOT_RUNNING"],
    ["fdb add aa:bb:cc:dd:ee:ff dst 192.0.2.1 -j", 3, "AGENT_NOT_RUNNING"],
    ["-j fdb add aa:bb:cc:dd:ee:ff", 2, "USAGE"],
    ["fdb -j add aa:bb:cc:dd:ee:ff port", 2, "USAGE"],
    ["stats --json extra", 2, "USAGE"],
    ["status -j --breif", 2, "USAGE"],
  ])("`poplin %s`: %i, as JSON on standard error", async (args, exit, word) => {
    const { code, stdout, stderr } = await cli.poplin(args);
    expect({ code, stdout }).toEqual({ code: exit, stdout: "" });
    const { error } = JSON.parse(stderr);
    expect(error).toEqual({ code: word, message: expect.any(String), remedy: expect.any(String) });
    expect(error.message).not.toMatch(/^(poplin|error): /);
  });

  it("2 for a configuration with mistakes, all of them with their places", async () => {
    const file = join(cli.folder, "node.yaml");
    writeFileSync(file, "vni: many\npeeers: []\n");
    const { code, stderr } = await cli.poplin(`agent --config ${file}`);
    expect(code).toBe(2);
    expect(stderr).toContain(`${file}:1:6`);
    expect(stderr).toContain(`${file}:2:1`);
    expect(stderr).toContain("did you mean `peers`?");
  });

  it("4 when the socket is somebody else's", async () => {
    await cli.startAgent();
    // Root may open everything: without its capabilities it is a user like others.
    if (ROOT) chownSync(cli.socket, NOBODY, NOBODY);
    else chmodSync(cli.socket, 0o000);
    const via = ROOT ? ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] : [];
    const { code, stderr } = await cli.poplin("status", { via });
    expect(code).toBe(4);
    expect(stderr).toContain(`not allowed to open ${cli.socket}`);
    expect(stderr).toContain("→ run this as the user who runs the agent");
  });

  it("5 when it is alive and does not answer", async () => {
    const mute = createServer(() => {}).listen(cli.socket);
    await once(mute, "listening");
    const clients: { destroy(): void }[] = [];
    mute.on("connection", (client) => clients.push(client));
    cli.atEnd(() => {
      for (const client of clients) client.destroy();
      mute.close();
    });
    const { code, stderr } = await cli.poplin("stats");
    expect(code).toBe(5);
    expect(stderr).toContain("did not answer within 5 s");
  });
});

describe("with an agent", () => {
  it("bare poplin is status, without colour where nobody looks", async () => {
    await cli.startAgent();
    const bare = await cli.poplin("");
    expect(bare).toMatchObject({ code: 0, stderr: "" });
    expect(bare.stdout).toContain("poplin 0.1.0: running");
    expect(bare.stdout).not.toContain("\u001b");
    expect((await cli.poplin("status")).stdout.split("\n")[0]).toBe(bare.stdout.split("\n")[0]);
  });

  it("-j is the status as JSON", async () => {
    await cli.startAgent();
    for (const args of ["-j", "status --json", "-j status"]) {
      const { code, stdout } = await cli.poplin(args);
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toEqual(healthyStatus());
    }
  });

  it("1 when something that was asked for does not work, in every form", async () => {
    cli.agent.answer = async () => healthyStatus({ state: "degraded" });
    await cli.startAgent();
    for (const args of ["", "-j", "--brief"]) expect((await cli.poplin(args)).code).toBe(1);
    expect((await cli.poplin("--brief")).stdout).toContain("not ok: degraded");
  });

  it("stats -j has the counters", async () => {
    cli.agent.count("txFrames", 42);
    await cli.startAgent();
    const { code, stdout } = await cli.poplin("stats -j");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ schema: 1, txFrames: 42, drops: { tx: {}, rx: {} } });
  });

  it("stats and fdb flush take `dev NAME`, and no other word", async () => {
    await cli.startAgent();
    expect((await cli.poplin("stats dev flannel-v6.1")).code).toBe(0);
    expect(cli.agent.choice).toEqual({ dev: "flannel-v6.1" });
    expect((await cli.poplin("stats --vni 1")).code).toBe(0);
    expect(cli.agent.choice).toEqual({ vni: 1 });
    expect((await cli.poplin("fdb flush dev flannel.1")).stdout).toBe("0 learned rows forgotten\n");
    const missing = await cli.poplin("fdb flush dev flannel-v6.1");
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining("there are: flannel.1")]);
    const wrong = await cli.poplin("stats flannel.1");
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('unknown word "flannel.1"')]);
  });

  it("--socket is over POPLIN_SOCKET, before or behind the command", async () => {
    await cli.startAgent();
    const env = { POPLIN_SOCKET: join(cli.folder, "none.sock") };
    expect((await cli.poplin("status", { env })).code).toBe(3);
    const mac = "aa:bb:cc:dd:ee:ff";
    for (const args of [
      `--socket ${cli.socket}`,
      `--socket ${cli.socket} stats`,
      `stats --socket ${cli.socket}`,
      `fdb --socket ${cli.socket} show`,
      `fdb show --socket ${cli.socket}`,
      `--socket ${cli.socket} fdb replace ${mac} dst 192.0.2.1`,
      `fdb replace ${mac} dst 192.0.2.1 --socket ${cli.socket}`,
    ]) {
      expect((await cli.poplin(args, { env })).code, args).toBe(0);
    }
  });

  it("ends quietly when nobody reads on", async () => {
    for (let i = 0; i < 5000; i++) {
      const [hi, lo] = [i >> 8, i & 255].map((n) => n.toString(16).padStart(2, "0"));
      await cli.agent.changeFdb({ op: "add", mac: `02:00:00:00:${hi}:${lo}`, dst: "192.0.2.1" });
    }
    await cli.startAgent();
    const child = cli.start(["fdb", "-j"]);
    let stderr = "";
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const closed = once(child, "close");
    await once(child.stdout!, "readable");
    child.stdout!.destroy();
    const [code] = await closed;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });
});
