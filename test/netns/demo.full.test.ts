/** `poplin demo` as a user runs it: as a process, to its end, interrupted, kept, and without root. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { POPLIN } from "../../src/lab/agent-process.ts";
import { listNamespaces } from "../../src/lab/netns.ts";
import { demolish, folderOf, records } from "../../src/lab/registry.ts";
import { describeWith, lab, optionalPackage, tool } from "../helpers/needs.ts";

const FAST = ["--seconds", "1"];
/** Mount namespaces in which something is not there. */
const WITHOUT_TUN = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /dev/net && exec "$@"', "sh"];
const HIDE_TCPDUMP = 'f=$(command -v tcpdump) && mount --bind /dev/null "$f"; exec "$@"';
const WITHOUT_TCPDUMP = ["unshare", "--mount", "sh", "-c", HIDE_TCPDUMP, "sh"];
const canChangeUser = spawnSync("unshare", ["--user", "--map-user=1000", "true"]).status === 0;

describeWith([lab(), tool("iperf3"), tool("ping")], "poplin demo", () => {
  const children: ChildProcess[] = [];
  const labs: string[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
    for (const id of labs.splice(0)) demolish(id);
  });

  class Demo {
    output = "";
    readonly child: ChildProcess;
    readonly ended: Promise<unknown>;

    constructor(args: readonly string[], through: readonly string[] = []) {
      const [command, ...rest] = [...through, process.execPath, POPLIN, "demo", ...args];
      this.child = spawn(command!, rest, { stdio: ["ignore", "pipe", "pipe"] });
      children.push(this.child);
      this.ended = once(this.child, "close");
      for (const stream of [this.child.stdout!, this.child.stderr!]) {
        stream.on("data", (chunk) => {
          this.output += chunk;
        });
      }
    }

    /** Resolves when it has printed that. */
    async printed(what: RegExp): Promise<void> {
      while (!what.test(this.output)) {
        const more = once(this.child.stdout!, "data");
        await Promise.race([more, this.ended.then(() => Promise.reject(new Error(this.output)))]);
      }
    }

    get lab(): string {
      const id = /lab ([0-9a-f]{6})/.exec(this.output)![1]!;
      labs.push(id);
      return id;
    }
  }

  function remains(id: string): string[] {
    const spaces = listNamespaces().filter((name) => name.startsWith(`poplin-${id}-`));
    const record = records().some((one) => one.id === id) ? ["record"] : [];
    return [...spaces, ...record, ...(existsSync(folderOf(id)) ? ["folder"] : [])];
  }

  it("shows everything, exits with 0 and leaves nothing", async () => {
    // The first packet is caught by poplin itself where it can.
    const demo = new Demo(FAST, optionalPackage("cap") === null ? WITHOUT_TCPDUMP : []);
    await demo.ended;
    expect(demo.output).toContain("everything arrived");
    expect(demo.child.exitCode).toBe(0);
    for (const node of ["node-a", "node-b", "node-k"]) expect(demo.output).toContain(`${node}:`);
    // The study's ping, caught on the underlay: port 8472, 8 + 106 bytes of UDP, VNI 1.
    expect(demo.output).toMatch(/destination port 8472/);
    expect(demo.output).toMatch(/length +114 bytes/);
    expect(demo.output).toMatch(/VNI +1 /);
    expect(demo.output).toMatch(/route 10\.244\.2\.0\/24 via 10\.244\.2\.0 onlink/);
    expect(remains(demo.lab)).toEqual([]);
  });

  for (const [signal, moment] of [
    ["SIGINT", /lab [0-9a-f]{6}/],
    ["SIGINT", /Gbit/],
    ["SIGTERM", /pod-a {2,}-/],
  ] as const) {
    it(`${signal} after ${moment} takes everything down`, async () => {
      const demo = new Demo(FAST);
      await demo.printed(moment);
      demo.child.kill(signal);
      await demo.ended;
      expect(demo.child.signalCode).toBe(signal);
      expect(remains(demo.lab)).toEqual([]);
    });
  }

  it("--keep leaves it up, with commands that work; --down takes it down", async () => {
    const demo = new Demo([...FAST, "--keep"]);
    await demo.ended;
    expect(demo.child.exitCode).toBe(0);
    const id = demo.lab;
    const commands = demo.output
      .split("stays up. As root:")[1]!
      .match(/^ {2}(?!#).+$/gm)!
      .map((line) => line.trim());
    expect(commands).toHaveLength(8);
    for (const command of commands) {
      const args = command
        .replace(/ ping /, " ping -c 1 ")
        .replace(/ bash$/, " bash -c true")
        // Until Ctrl-C; what it says beside the packets is no error.
        .replace(/^.* watch .*$/, "timeout --preserve-status -s INT 2 $& 2>&1");
      const { status, stderr } = spawnSync("sh", ["-c", args], { encoding: "utf8", timeout: 20_000 });
      expect([command, status, stderr]).toEqual([command, 0, ""]);
    }
    expect(commands.at(-1)).toMatch(new RegExp(`demo --down ${id}$`));
    expect(remains(id)).toEqual([]);
  });

  describeWith([canChangeUser ? null : "needs user namespaces"], "without root", () => {
    it("runs in memory and says so", async () => {
      const demo = new Demo([], ["unshare", "--user", "--map-user=1000"]);
      await demo.ended;
      expect(demo.output).toMatch(/in memory, because network namespaces need root/);
      expect(demo.output).toContain("everything arrived");
      expect(demo.child.exitCode).toBe(0);
    });
  });

  it("without /dev/net/tun too", async () => {
    const demo = new Demo([], WITHOUT_TUN);
    await demo.ended;
    expect(demo.output.replace(/\s+/g, " ")).toMatch(/in memory, because there is no \/dev\/net\/tun/);
    expect(demo.child.exitCode).toBe(0);
  });
});
