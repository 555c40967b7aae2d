/**
 * What goes wrong around a node of a cluster while it forwards: its disk is full, /run can no longer be written to, its
 * clock is set back, a crowd asks its API. No packet between pods is lost in any of it, and what fails is said.
 */
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { faketime, setClock, settableClock } from "../../helpers/faketime.ts";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { memoryOf, sleep, until } from "../agents.ts";
import { Pinger } from "../traffic/ping.ts";
import { allKnown, DirectoryLab, keyOf, lines, NET_CONF } from "./cluster.ts";

const NEEDS = [lab(), tool("ping"), tool("iptables")];

let net: DirectoryLab;
afterEach(() => net?.destroy());

/** A ping between the pods of two nodes. */
async function pinging(from: FlannelNode, to: FlannelNode): Promise<Pinger> {
  const ping = new Pinger(from.pod, to.podIp);
  await ping.next();
  return ping;
}

async function lostNothing(ping: Pinger): Promise<void> {
  const { lost, duplicates } = await ping.stop();
  expect({ lost, duplicates }).toEqual({ lost: [], duplicates: 0 });
}

/** Sends SIGHUP and waits until it was dealt with. */
async function reloadIt(node: FlannelNode): Promise<void> {
  const before = (await node.status()).config.lastReload?.at;
  node.signal("SIGHUP");
  await until("the reload", async () => (await node.status()).config.lastReload?.at !== before);
}

/**
 * A small disk that all nodes share, in a mount namespace of its own: it goes with the process that holds it, also
 * when this one is killed.
 */
class SmallDisk {
  readonly path: string;
  readonly #holder: ChildProcess;
  readonly #lab: DirectoryLab;

  static async make(lab: DirectoryLab): Promise<SmallDisk> {
    const disk = new SmallDisk(lab);
    await until("the disk", () => existsSync(join(disk.outside, "mounted")));
    return disk;
  }

  private constructor(lab: DirectoryLab) {
    this.#lab = lab;
    this.path = lab.lab.file("disk");
    mkdirSync(this.path);
    const script = `mount -t tmpfs -o size=128k tmpfs "$0" && touch "$0/mounted" && exec sleep infinity`;
    this.#holder = lab.lab.addHost("disk").spawn("sh", ["-c", script, this.path], { stdio: "ignore" });
  }

  /** The disk as this process sees it. */
  get outside(): string {
    return `/proc/${this.#holder.pid}/root${this.path}`;
  }

  /** A node whose leases and subnet.env are on the disk; its log, too, unless `log` is false. */
  node(name: string, log = true): FlannelNode {
    const files = ["--lease-dir", `${this.path}/store`, "--subnet-file", `${this.path}/${name}.env`];
    const command = log ? `exec "$@" 2>>${this.path}/${name}.log` : 'exec "$@"';
    const wrapper = ["nsenter", "--mount", "--target", String(this.#holder.pid), "sh", "-c", command, "sh"];
    return this.#lab.add(name, { flags: [...files, "--ip-masq"], wrapper });
  }

  /** To the last byte. */
  fill(): void {
    for (const size of [4096, 1]) {
      try {
        for (;;) writeFileSync(join(this.outside, "ballast"), Buffer.alloc(size), { flag: "a" });
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe("ENOSPC");
      }
    }
  }

  empty(): void {
    rmSync(join(this.outside, "ballast"));
  }
}

describeWith([...NEEDS, tool("nsenter")], "nodes whose disk is full", () => {
  it("go on with the leases as they are; a third waits, says why, and joins when there is room", async () => {
    net = new DirectoryLab();
    const disk = await SmallDisk.make(net);
    mkdirSync(join(disk.outside, "store/subnets"), { recursive: true });
    writeFileSync(join(disk.outside, "store/config"), JSON.stringify(NET_CONF));
    const [a, b, c] = [disk.node("node-a"), disk.node("node-b"), disk.node("node-c", false)];
    for (const node of [a, b]) {
      node.launch();
      await node.ready();
      await until("subnet.env", () => existsSync(join(disk.outside, `${node.host.name}.env`)));
    }
    await allKnown([a, b]);
    const files = (): string[] => {
      const names = readdirSync(join(disk.outside, "store/subnets")).map((name) => `store/subnets/${name}`);
      return [...names.sort(), "node-a.env", "node-b.env"].map(
        (name) => `${name}: ${readFileSync(join(disk.outside, name), "utf8")}`,
      );
    };
    const before = files();
    const ping = new Pinger(a.host, (await b.status()).device.addresses[0]!.split("/")[0]!);
    await ping.next();

    disk.fill();
    await reloadIt(a); // which it says in its log
    c.launch();
    await until("a word of it", () => lines(c, /error .*ENOSPC.*; it is tried again each second/).length > 0);
    await sleep(2000);
    expect(lines(c, /ENOSPC/)).toHaveLength(1);
    expect(files()).toEqual(before);

    disk.empty();
    await c.ready();
    await allKnown([a, b, c]);
    await lostNothing(ping);
    expect(files()).toEqual(expect.arrayContaining(before));
  });
});

describeWith([...NEEDS, tool("nsenter")], "a node whose /run becomes read-only", () => {
  it("goes on, answers, repairs, and ends as it is told; the next start says what is in its way", async () => {
    net = new DirectoryLab();
    // A /run of its own: ours, mounted once more.
    const remounted = 'mount --rbind /run /run && mount -o remount,bind,$0 /run && exec "$@"';
    const own = (how: string): string[] => ["unshare", "--mount", "sh", "-c", remounted, how];
    const [a, b] = [net.node("node-a"), net.node("node-b")];
    a.options = { ...a.options, wrapper: own("rw") };
    await Promise.all([a.start(), b.start()]);
    await allKnown([a, b]);
    const before = [readFileSync(a.subnetFile, "utf8"), net.read(keyOf(a))];
    const ping = await pinging(b, a);

    const remount = ["--mount", "--target", String(a.pid), "mount", "-o", "remount,bind,ro", "/run"];
    await a.host.exec("nsenter", remount);
    await reloadIt(a);
    await a.poplin(["status"]);
    const [route] = (await a.status()).peers[0]!.subnets;
    await lostNothing(ping);
    a.host.ip(`route del ${route} dev flannel.1`);
    await until("the route", async () =>
      (await a.host.exec("ip", ["route"])).stdout.includes(`${route} via`),
    );
    expect(await a.stop()).toBe(0);
    expect([readFileSync(a.subnetFile, "utf8"), net.read(keyOf(a))]).toEqual(before);

    a.options = { ...a.options, wrapper: own("ro") };
    a.launch();
    await until("a word of it", () => lines(a, / error .*EROFS.*; it is tried again each second/).length > 0);
    await a.stop();
    a.options = { ...a.options, wrapper: [] };
    await a.start();
    await allKnown([a, b]);
    expect(net.read(keyOf(a))).toBe(before[1]);
  });
});

describeWith([...NEEDS, faketime()], "a node whose clock is set back", () => {
  it("by two days keeps lease and peers, goes on to probe paths, and counts the time that it is up", async () => {
    net = new DirectoryLab();
    const clock = net.lab.file("clock");
    const settings = net.lab.file("settings.yaml");
    writeFileSync(settings, "pmtuProbe: 1\n");
    const [a, b] = [net.node("node-a", ["--ip-masq", "--config", settings]), net.node("node-b")];
    a.options = { ...a.options, env: settableClock(clock) };
    await Promise.all([a.start(), b.start()]);
    await allKnown([a, b]);
    /** Hours by which the time of the last probe is from now. */
    const probed = async (): Promise<number> => {
      const at = (await a.status()).peers[0]!.pathMtu?.at;
      return at === undefined ? Number.NaN : Math.round((Date.parse(at) - Date.now()) / 3600_000) + 0;
    };
    await until("a probe", async () => (await probed()) === 0);
    const before = net.read(keyOf(a));
    const ping = await pinging(a, b);

    setClock(clock, -48);
    await until("a probe by the new clock", async () => (await probed()) === -48);
    await reloadIt(a);
    const { uptime, health, state } = await a.status();
    expect({ state, health }).toEqual({ state: "running", health: [] });
    expect(uptime).toBeGreaterThan(0);
    expect(lines(a, / (warn|error) /)).toEqual([]);
    expect(net.read(keyOf(a))).toBe(before);
    setClock(clock, 0);
    await until("a probe by the right clock", async () => (await probed()) === 0);
    await lostNothing(ping);
  });
});

/** Clients that ask at once, each again as soon as it has its answer. */
const CROWD = 100;
const QUESTIONS = [
  ...["/v1/status", "/v1/stats", "/v1/fdb", "/v1/leases", "/v1/plan", "/nothing"],
  // What costs most: a scrape, a probe through the dataplane, a comparison with the kernel's rows.
  ...["/metrics", "/readyz", "POST /v1/reconcile", "POST /v1/fdb/flush"],
];
/** Milliseconds that they go on. */
const SIEGE = 8000;

describeWith(NEEDS, "a node whose API a hundred clients hammer", () => {
  it("goes on, turns away what is too much, and answers a single one as before", async () => {
    net = new DirectoryLab();
    const [a, b] = (await net.start("node-a", "node-b")) as [FlannelNode, FlannelNode];
    const ping = await pinging(a, b);
    const before = memoryOf(a.pid).rss;
    const end = performance.now() + SIEGE;
    const answered: Record<string, number> = {};
    const client = async (n: number): Promise<void> => {
      for (let i = n; performance.now() < end; i++) {
        const what = await ask(net.lab.file("node-a.sock"), QUESTIONS[i % QUESTIONS.length]!);
        answered[what] = (answered[what] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: CROWD }, (_, n) => client(n)));
    console.log("answers to a hundred clients:", answered);
    const { 200: fine = 0, 404: unknown = 0, ...others } = answered;
    expect(fine).toBeGreaterThan(100);
    expect(unknown).toBeGreaterThan(10);
    // One that is turned away hears so by the end of its connection.
    for (const what of Object.keys(others)) expect(["ECONNRESET", "EPIPE"]).toContain(what);
    await lostNothing(ping);
    expect((await a.status()).state).toBe("running");
    expect(memoryOf(a.pid).rss - before).toBeLessThan(100e6);
  });
});

/** @returns the status of the answer, or the code of what went wrong */
function ask(socketPath: string, question: string): Promise<string> {
  const [path = "", method = "GET"] = question.split(" ").reverse();
  return new Promise((resolve) => {
    const asking = request({ socketPath, path, method, agent: false }, (response) => {
      response.resume().once("close", () => resolve(String(response.statusCode)));
    });
    asking.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    asking.end();
  });
}
