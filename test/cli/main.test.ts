/** The built command as a process: what it prints, where, and what it exits with. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startApiServer } from "../../src/agent/api/server.ts";
import { flagsHelp } from "../../src/agent/flannel/flags-help.ts";
import { fromHex } from "../../src/wire/bytes.ts";
import { FakeAgent, healthyStatus } from "../agent/api/fake-agent.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const ROOT = process.getuid?.() === 0;
const NOBODY = 65_534;

let folder: string;
let socket: string;
let agent: FakeAgent;
let cleanups: (() => unknown)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "poplin-cli-"));
  socket = join(folder, "agent.sock");
  agent = new FakeAgent();
  cleanups = [];
});

afterEach(async () => {
  for (const cleanup of cleanups) await cleanup();
  rmSync(folder, { recursive: true, force: true });
});

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly env?: Record<string, string>;
  /** A command that runs the command. */
  readonly via?: readonly string[];
}

function start(args: readonly string[], { env = {}, via = [] }: RunOptions = {}): ChildProcess {
  const [command, ...rest] = [...via, process.execPath, MAIN, ...args];
  const child = spawn(command!, rest, {
    env: { PATH: process.env.PATH, POPLIN_SOCKET: socket, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  cleanups.push(() => child.kill("SIGKILL"));
  return child;
}

async function poplin(args: string, options: RunOptions = {}): Promise<Result> {
  const child = start(
    args.split(" ").filter((word) => word !== ""),
    options,
  );
  let stdout = "";
  let stderr = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

async function startAgent(): Promise<void> {
  const server = await startApiServer({ path: socket, view: agent });
  cleanups.push(() => server.close());
}

describe("without an agent", () => {
  it("--version is that of package.json", async () => {
    const manifest = new URL("../../package.json", import.meta.url);
    const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
    expect(await poplin("--version")).toEqual({ code: 0, stdout: `poplin ${version}\n`, stderr: "" });
  });

  it("flanneld answers flanneld's flags itself: version on standard error, its own help", async () => {
    expect(await poplin("flanneld --version")).toMatchObject({
      code: 0,
      stdout: "",
      stderr: expect.stringMatching(/^poplin \d/),
    });
    expect((await poplin("flanneld -h")).stdout).toMatch(/^Usage: poplin flanneld \[FLAG\]\.\.\.\n/);
    const { code, stderr } = await poplin("flanneld --ifaces eth0");
    expect([code, stderr]).toEqual([2, expect.stringMatching(/no flag --ifaces.*`iface`/)]);
  });

  it("flanneld ends where its store cannot be opened, with its health server", async () => {
    const { code, stderr } = await poplin(
      "flanneld --healthz-ip 127.0.0.1 --healthz-port 18983 --etcd-endpoints ftp://etcd:2379",
    );
    expect([code, stderr]).toEqual([1, expect.stringMatching(/neither http nor https\n {2}→ /)]);
  });

  it("flanneld ends at SIGTERM while it waits for a store", async () => {
    const child = start(["flanneld", "--lease-dir", join(folder, "nothing"), "--iface", "lo"], {
      env: { FLANNELD_SUBNET_FILE: join(folder, "subnet.env") },
    });
    const [said] = (await once(child.stderr!.setEncoding("utf8"), "data")) as [string];
    expect(said).toMatch(/there is no network configuration .*it is tried again each second/);
    child.kill("SIGTERM");
    expect(await once(child, "close")).toEqual([0, null]);
  });

  it("--help names every command and the exit codes, within 80 columns", async () => {
    const { code, stdout } = await poplin("--help");
    expect(code).toBe(0);
    for (const name of [
      "status",
      "stats",
      "fdb",
      "neigh",
      "reconcile",
      "events",
      "capture",
      "agent",
      "vtep",
      "cleanup",
      "demo",
    ]) {
      expect(stdout).toMatch(new RegExp(`^  ${name} `, "m"));
    }
    expect(stdout).toContain("3 agent not reachable");
    for (const line of stdout.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  it.each([
    ...[
      "status",
      "stats",
      "fdb",
      "fdb add",
      "fdb show",
      "fdb why",
      "fdb flush",
      "neigh",
      "reconcile",
      "events",
      "capture",
    ],
    ...["agent", "vtep", "cleanup", "demo"],
  ])("%s --help exits with 0", async (command) => {
    const { code, stdout, stderr } = await poplin(`${command} --help`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`Usage: poplin ${command}`);
  });

  it("agent --help lists the settings as flags", async () => {
    const { stdout } = await poplin("agent --help");
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
      const { code, stdout, stderr } = await poplin(args);
      expect({ code, stdout }).toEqual({ code: 3, stdout: "" });
      expect(stderr).toContain(`no agent is running here: there is no socket at ${socket}`);
      expect(stderr).toContain("→ start one with `poplin agent --config FILE`");
    },
  );

  it.each([
    ["statsu", "Did you mean"],
    ["satus", "Did you mean status?"],
    ["status --breif", "Did you mean --brief?"],
    ["status extra", "too many arguments"],
    ["fdb ad aa:bb:cc:dd:ee:ff", 'unknown word "ad"'],
    ["fdb add aa:bb:cc:dd:ee:ff", "such as: poplin fdb add"],
    ["capture -c none", "a whole number"],
    ["cleanup --device a/b", "--device"],
    ["agent --sender-check loose", "--sender-check"],
  ])("2 for `poplin %s`", async (args, hint) => {
    const { code, stdout, stderr } = await poplin(args);
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
    const { code, stdout, stderr } = await poplin(args);
    expect({ code, stdout }).toEqual({ code: exit, stdout: "" });
    const { error } = JSON.parse(stderr);
    expect(error).toEqual({ code: word, message: expect.any(String), remedy: expect.any(String) });
    expect(error.message).not.toMatch(/^(poplin|error): /);
  });

  it("2 for a configuration with mistakes, all of them with their places", async () => {
    const file = join(folder, "node.yaml");
    writeFileSync(file, "vni: many\npeeers: []\n");
    const { code, stderr } = await poplin(`agent --config ${file}`);
    expect(code).toBe(2);
    expect(stderr).toContain(`${file}:1:6`);
    expect(stderr).toContain(`${file}:2:1`);
    expect(stderr).toContain("did you mean `peers`?");
  });

  it("4 when the socket is somebody else's", async () => {
    await startAgent();
    // Root may open everything: without its capabilities it is a user like others.
    if (ROOT) chownSync(socket, NOBODY, NOBODY);
    else chmodSync(socket, 0o000);
    const via = ROOT ? ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] : [];
    const { code, stderr } = await poplin("status", { via });
    expect(code).toBe(4);
    expect(stderr).toContain(`not allowed to open ${socket}`);
    expect(stderr).toContain("→ run this as the user who runs the agent");
  });

  it("5 when it is alive and does not answer", async () => {
    const mute = createServer(() => {}).listen(socket);
    await once(mute, "listening");
    const clients: { destroy(): void }[] = [];
    mute.on("connection", (client) => clients.push(client));
    cleanups.push(() => {
      for (const client of clients) client.destroy();
      mute.close();
    });
    const { code, stderr } = await poplin("stats");
    expect(code).toBe(5);
    expect(stderr).toContain("did not answer within 5 s");
  });
});

describe("capture", () => {
  it("without the cap package names it and what it needs", async () => {
    const hook = join(folder, "no-cap.cjs");
    writeFileSync(
      hook,
      `const Module = require("node:module");
       const load = Module._load;
       Module._load = (name, ...rest) => {
         if (name === "cap") throw Object.assign(new Error("Cannot find module 'cap'"), { code: "MODULE_NOT_FOUND" });
         return load(name, ...rest);
       };`,
    );
    const { code, stdout, stderr } = await poplin("capture -i lo", {
      env: { NODE_OPTIONS: `--require=${hook}` },
    });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain('poplin: capturing needs the optional package "cap"');
    expect(stderr).toContain("libpcap-dev");
    expect(stderr).toContain("compiler");
  });
});

describe("with an agent", () => {
  it("bare poplin is status, without colour where nobody looks", async () => {
    await startAgent();
    const bare = await poplin("");
    expect(bare).toMatchObject({ code: 0, stderr: "" });
    expect(bare.stdout).toContain("poplin 0.1.0: running");
    expect(bare.stdout).not.toContain("\u001b");
    expect((await poplin("status")).stdout.split("\n")[0]).toBe(bare.stdout.split("\n")[0]);
  });

  it("-j is the status as JSON", async () => {
    await startAgent();
    for (const args of ["-j", "status --json", "-j status"]) {
      const { code, stdout } = await poplin(args);
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toEqual(healthyStatus());
    }
  });

  it("1 when something that was asked for does not work, in every form", async () => {
    agent.answer = async () => healthyStatus({ state: "degraded" });
    await startAgent();
    for (const args of ["", "-j", "--brief"]) expect((await poplin(args)).code).toBe(1);
    expect((await poplin("--brief")).stdout).toContain("not ok: degraded");
  });

  it("stats -j has the counters", async () => {
    agent.count("txFrames", 42);
    await startAgent();
    const { code, stdout } = await poplin("stats -j");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ schema: 1, txFrames: 42, drops: { tx: {}, rx: {} } });
  });

  it("fdb adds, shows and deletes, in the words of bridge", async () => {
    await startAgent();
    const mac = "aa:bb:cc:dd:ee:ff";
    expect(await poplin(`fdb add ${mac} dst 192.0.2.1`)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect((await poplin("fdb")).stdout).toBe(`${mac} dst 192.0.2.1 self permanent\n`);
    expect((await poplin(`fdb replace ${mac} dst 192.0.2.2 port 4789`)).code).toBe(0);
    expect(JSON.parse((await poplin("fdb -j")).stdout)).toMatchObject([
      { mac, ifname: "flannel.1", port: 4789 },
    ]);
    expect((await poplin(`fdb del ${mac}`)).code).toBe(0);
    expect((await poplin("fdb show")).stdout).toBe("");
  });

  it("fdb append, del dst and flush go to the agent in its words", async () => {
    await startAgent();
    expect((await poplin("fdb append 00:00:00:00:00:00 dst 192.0.2.1")).code).toBe(0);
    expect((await poplin("fdb")).stdout).toBe("00:00:00:00:00:00 dst 192.0.2.1 self permanent\n");
    expect((await poplin("fdb del 00:00:00:00:00:00 dst 192.0.2.1")).code).toBe(0);
    const learned = { idle: 1, age: 60, moved: null, moves: 0 };
    for (const mac of ["02:00:00:00:00:01", "02:00:00:00:00:02"]) {
      agent.rows.set(mac, {
        mac,
        dev: "flannel.1",
        vni: 1,
        dst: "192.0.2.1",
        port: 8472,
        state: "learned",
        learned,
      });
    }
    expect((await poplin("fdb")).stdout.split("\n")[0]).toBe("02:00:00:00:00:01 dst 192.0.2.1 self learned");
    expect((await poplin("fdb flush")).stdout).toBe("2 learned rows forgotten\n");
    expect(JSON.parse((await poplin("fdb flush -j")).stdout)).toEqual({ flushed: 0 });
  });

  it("reconcile says how many rows were changed; with --dry-run the steps, and exit code 1", async () => {
    agent.steps = ["flannel.1: link set up", "flannel.1: neigh replace 10.244.2.0 lladdr aa:bb:cc:00:00:03"];
    await startAgent();
    const dry = await poplin("reconcile --dry-run");
    expect(dry).toEqual({ code: 1, stdout: `${agent.steps.join("\n")}\n`, stderr: "" });
    const json = await poplin("reconcile --dry-run -j");
    expect([json.code, JSON.parse(json.stdout)]).toEqual([1, { steps: agent.steps }]);
    expect(await poplin("reconcile")).toEqual({ code: 0, stdout: "2 rows changed\n", stderr: "" });
    expect(await poplin("reconcile")).toEqual({ code: 0, stdout: "no row had to be changed\n", stderr: "" });
    expect(JSON.parse((await poplin("-j reconcile")).stdout)).toEqual({ changed: 0 });
    const nothing = await poplin("reconcile --dry-run");
    expect(nothing).toEqual({ code: 0, stdout: "everything is in place\n", stderr: "" });
  });

  it("stats and fdb flush take `dev NAME`, and no other word", async () => {
    await startAgent();
    expect((await poplin("stats dev flannel-v6.1")).code).toBe(0);
    expect(agent.choice).toEqual({ dev: "flannel-v6.1" });
    expect((await poplin("stats --vni 1")).code).toBe(0);
    expect(agent.choice).toEqual({ vni: 1 });
    expect((await poplin("fdb flush dev flannel.1")).stdout).toBe("0 learned rows forgotten\n");
    const missing = await poplin("fdb flush dev flannel-v6.1");
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining("there are: flannel.1")]);
    const wrong = await poplin("stats flannel.1");
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('unknown word "flannel.1"')]);
  });

  it("fdb why tells the packet, the time and the moves; of a MAC without a row where its frames go", async () => {
    await startAgent();
    const mac = "02:00:00:00:00:0a";
    const learned = { idle: 0, age: 3700, moved: 65, moves: 2 };
    agent.rows.set(mac, {
      mac,
      dev: "flannel.1",
      vni: 1,
      dst: "192.0.2.1",
      port: 8472,
      state: "learned",
      learned,
    });
    const arp = fromHex(
      "ffffffffffff02000000000a0806" + "0001080006040001" + "02000000000a0a090001" + "0000000000000a090002",
    );
    agent.lesson = { at: Date.now() - 65_000, address: "192.0.2.1", port: 50_123, length: 60, frame: arp };
    const { code, stdout } = await poplin(`fdb why ${mac}`);
    expect([code, stdout.split("\n")]).toEqual([
      0,
      [
        `${mac} is behind 192.0.2.1, port 8472: learned`,
        "  learned 1 hour, 1 minute ago, last heard of just now",
        "  moved 2 times, the last time 1 minute, 5 seconds ago",
        "  by a packet from 192.0.2.1 port 50123, 1 minute, 5 seconds ago:",
        "    ARP who has 10.9.0.2? tell 10.9.0.1, 60 bytes",
        "",
      ],
    ]);
    agent.rows.set(mac, { mac, dev: "flannel.1", vni: 1, dst: "192.0.2.1", port: 8472, state: "permanent" });
    expect((await poplin(`fdb why ${mac}`)).stdout).toContain("from the configuration or by `poplin fdb`");
    const nobody = await poplin("fdb why 02:00:00:00:00:99");
    expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringContaining("NO_TX_TARGET")]);
    const zeros = "00:00:00:00:00:00";
    agent.rows.set(zeros, {
      mac: zeros,
      dev: "flannel.1",
      vni: 1,
      dst: "192.0.2.7",
      port: 8472,
      state: "permanent",
    });
    const flooded = await poplin("fdb why 02:00:00:00:00:99");
    expect([flooded.code, flooded.stderr]).toEqual([1, expect.stringContaining("flooded to 192.0.2.7")]);
    expect((await poplin("fdb why nonsense")).code).toBe(2);
  });

  it("with -j a change answers with the row as `fdb -j` has it, a deletion with {}", async () => {
    await startAgent();
    const answer = async (args: string) => {
      const { code, stdout, stderr } = await poplin(args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      return JSON.parse(stdout);
    };
    const other = await answer("fdb add 0e:2a:00:00:00:01 dst 192.0.2.9 -j");
    const row = await answer("fdb -j add AA-BB-CC-DD-EE-FF dst 192.0.2.1");
    expect(row).toMatchObject({
      mac: "aa:bb:cc:dd:ee:ff",
      ifname: "flannel.1",
      dst: "192.0.2.1",
      port: 8472,
    });
    expect(await answer("fdb -j")).toEqual([other, row]);
    const changed = await answer("-j fdb replace aa:bb:cc:dd:ee:ff dst 192.0.2.2 port 4789");
    expect(changed).toEqual({ ...row, dst: "192.0.2.2", port: 4789 });
    expect(await answer("fdb del aa:bb:cc:dd:ee:ff --json")).toEqual({});
    const again = await poplin("fdb del aa:bb:cc:dd:ee:ff -j");
    expect([again.code, again.stdout]).toEqual([1, ""]);
    expect(JSON.parse(again.stderr)).toEqual({
      error: {
        code: "NO_SUCH_ROW",
        message: "aa:bb:cc:dd:ee:ff has no row",
        remedy: "`poplin fdb` lists them",
      },
    });
  });

  it("a refusal is 1 with its reason, wrong words are 2", async () => {
    await startAgent();
    const again = await poplin("fdb del aa:bb:cc:dd:ee:ff");
    expect(again.code).toBe(1);
    expect(again.stderr).toBe("poplin: aa:bb:cc:dd:ee:ff has no row\n  → `poplin fdb` lists them\n");
    expect((await poplin("fdb add nonsense dst 192.0.2.1")).code).toBe(2);
  });

  it("--socket is over POPLIN_SOCKET, before or behind the command", async () => {
    await startAgent();
    const env = { POPLIN_SOCKET: join(folder, "none.sock") };
    expect((await poplin("status", { env })).code).toBe(3);
    const mac = "aa:bb:cc:dd:ee:ff";
    for (const args of [
      `--socket ${socket}`,
      `--socket ${socket} stats`,
      `stats --socket ${socket}`,
      `fdb --socket ${socket} show`,
      `fdb show --socket ${socket}`,
      `--socket ${socket} fdb replace ${mac} dst 192.0.2.1`,
      `fdb replace ${mac} dst 192.0.2.1 --socket ${socket}`,
    ]) {
      expect((await poplin(args, { env })).code, args).toBe(0);
    }
  });

  it("ends quietly when nobody reads on", async () => {
    for (let i = 0; i < 5000; i++) {
      const [hi, lo] = [i >> 8, i & 255].map((n) => n.toString(16).padStart(2, "0"));
      await agent.changeFdb({ op: "add", mac: `02:00:00:00:${hi}:${lo}`, dst: "192.0.2.1" });
    }
    await startAgent();
    const child = start(["fdb", "-j"]);
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

describe("poplin flanneld", () => {
  it("has flanneld's flags in its help, however that is asked for, in 80 columns", async () => {
    for (const words of ["flanneld --help", "flanneld -h", "help flanneld"]) {
      const { code, stdout } = await poplin(words);
      expect([words, code, stdout]).toEqual([words, 0, flagsHelp()]);
    }
    expect(
      Math.max(
        ...flagsHelp()
          .split("\n")
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(80);
  });

  it("reports every mistake on its line at once, and what to do about it", async () => {
    const { code, stderr } = await poplin("flanneld --iface-rx=x --healthz-port=99999 --socket=/run/a.sock");
    expect(code).toBe(2);
    expect(stderr).toMatch(/--iface-rx.*iface-regex/);
    expect(stderr).toMatch(/--healthz-port.*from 0 to 65535/);
    expect(stderr).toMatch(/--socket.*POPLIN_SOCKET/);
  });
});
