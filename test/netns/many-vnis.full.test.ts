/**
 * A thousand VNIs in one agent, opposite VXLAN devices of the kernel's for a few of them: what an overlay costs that
 * carries nothing. How often the agent asks `ip` and `tc` is counted, which no busy machine changes; how long it takes
 * and what it weighs is said, and no bar.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster } from "../../src/lab/cluster.ts";
import type { Host } from "../../src/lab/host.ts";
import { ping as pingHost } from "../../src/lab/ping.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { megabytes, memoryOf, reload } from "./agents.ts";

const MANY = 1000;
const FIRST = 1000;
const PORT = 8472;
const MTU = 1430;
/** Those that the kernel opposite has, too. */
const SPOKEN = [FIRST, FIRST + 333, FIRST + MANY - 1];
/** Processes that a start or a reload may take, for any number of devices; each look at the status is one. */
const FEW = 20;

/** `ip` and `tc` that note down what they are asked, and do it. */
class Notebook {
  readonly #file: string;
  readonly #folder: string;
  #read = 0;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder);
    this.#file = `${folder}/asked`;
    writeFileSync(this.#file, "");
    for (const name of ["ip", "tc"]) {
      const real = execFileSync("sh", ["-c", `PATH="$PATH:/usr/sbin:/sbin" command -v ${name}`], {
        encoding: "utf8",
      }).trim();
      const script = `#!/bin/sh\necho "${name} $*" >> ${this.#file}\nexec ${real} "$@"\n`;
      writeFileSync(`${folder}/${name}`, script);
      chmodSync(`${folder}/${name}`, 0o755);
    }
  }

  /** Whatever `spawn` starts finds these programs before the others. */
  async around<T>(spawn: () => Promise<T>): Promise<T> {
    const { PATH } = process.env;
    process.env.PATH = `${this.#folder}:${PATH}`;
    try {
      return await spawn();
    } finally {
      process.env.PATH = PATH;
    }
  }

  /** @returns what has been asked since the last time, without what the lab asks to get into its hosts */
  news(): string[] {
    const all = readFileSync(this.#file, "utf8").trimEnd().split("\n");
    const fresh = all.slice(this.#read).filter((line) => line !== "" && !line.startsWith("ip netns exec"));
    this.#read = all.length;
    return fresh;
  }
}

const device = (vni: number): string => `t${vni}`;

/** @returns how many of three were answered */
async function ping(from: Host, vni: number): Promise<number> {
  return (await pingHost(from, `10.50.${SPOKEN.indexOf(vni)}.2`, { interval: 0.2 })).answered;
}

describeWith([lab(), tool("ping"), tool("tc")], "a thousand VNIs in one agent", () => {
  let cluster: Cluster;
  let node: PoplinNode;
  let asked: Notebook;

  async function start(): Promise<void> {
    const before = performance.now();
    await asked.around(() => node.startAgent());
    const took = performance.now() - before;
    console.log(
      `${MANY} VNIs: ready after ${(took / 1000).toFixed(1)} s, ${megabytes(memoryOf(node.pid).rss)} MB`,
    );
  }

  beforeAll(async () => {
    cluster = Cluster.build({
      nodes: [
        { name: "node-p", kind: "poplin" as const },
        { name: "node-k", kind: "kernel" as const },
      ],
    });
    node = cluster.poplin("node-p");
    const kernel = cluster.node("node-k");
    const [local, remote] = [node.plan.address, kernel.plan.address];
    const overlays = Array.from({ length: MANY }, (_, i) => ({
      vni: FIRST + i,
      device: device(FIRST + i),
      remote,
      mtu: MTU,
    }));
    node.config = { local, port: PORT, socket: node.socket, learning: true, overlays, peers: [] };
    node.setPeers([]);
    SPOKEN.forEach((vni, i) => {
      const words = `type vxlan id ${vni} dev eth0 local ${remote} remote ${local} dstport ${PORT}`;
      kernel.host.ip(
        `link add ${device(vni)} mtu ${MTU} ${words}`,
        `addr add 10.50.${i}.2/24 dev ${device(vni)}`,
        `link set ${device(vni)} up`,
      );
    });
    asked = new Notebook(cluster.lab.file("asked"));
    await start();
    node.host.ip(...SPOKEN.map((vni, i) => `addr add 10.50.${i}.1/24 dev ${device(vni)}`));
  });
  afterAll(() => cluster?.destroy());

  it("all are up, with few questions to the kernel", async () => {
    expect(asked.news().length).toBeLessThanOrEqual(FEW);
    const status = await node.status();
    expect(status.state).toBe("running");
    expect(status.health).toEqual([]);
    expect(status.overlays.map(({ device }) => device.vni)).toEqual(
      Array.from({ length: MANY }, (_, i) => FIRST + i),
    );
    expect(asked.news().length).toBeLessThanOrEqual(FEW);
    const { stdout } = await node.host.exec("ip", ["-json", "link", "show", "up"]);
    const up = (JSON.parse(stdout) as { ifname: string; mtu: number; qdisc: string }[]).filter(({ ifname }) =>
      /^t\d+$/.test(ifname),
    );
    expect(up).toHaveLength(MANY);
    expect(new Set(up.map(({ mtu, qdisc }) => `${mtu} ${qdisc}`))).toEqual(new Set([`${MTU} noqueue`]));
  });

  it("those that have traffic have it, and the counters and rows of it", async () => {
    const received = await Promise.all(SPOKEN.map((vni) => ping(node.host, vni)));
    expect(received).toEqual(SPOKEN.map(() => 3));
    for (const vni of SPOKEN) {
      expect((await node.client.stats({ vni })).rxFrames).toBeGreaterThanOrEqual(3);
      const learned = (await node.client.fdb({ vni })).filter(({ state }) => state !== "permanent");
      expect(learned).toHaveLength(1);
    }
    expect((await node.client.stats({ vni: FIRST + 1 })).rxFrames).toBe(0);
  });

  it("a reload puts right what somebody has changed, and asks about all of them at once", async () => {
    const [first, middle, last] = SPOKEN.map(device);
    node.host.ip(`link set ${first} mtu 1300`, `link set ${middle} down`, `link set ${last} mtu 1301`);
    asked.news();
    expect(await reload(node)).toMatchObject({ ok: true });
    expect(asked.news().length).toBeLessThanOrEqual(FEW);
    expect(node.log()).toContain(`${first} was not as it should be: set mtu ${MTU}`);
    expect(node.log()).toContain(`${middle} was not as it should be: set up`);
    expect(node.log()).toContain(`${last} was not as it should be: set mtu ${MTU}`);
    expect(await Promise.all(SPOKEN.map((vni) => ping(node.host, vni)))).toEqual(SPOKEN.map(() => 3));
  });

  it("a device that is gone is made anew at the next start, which takes the others over", async () => {
    await node.stop();
    node.host.ip(`link del ${device(FIRST + 1)}`);
    const indexes = async (): Promise<Map<string, number>> => {
      const { stdout } = await node.host.exec("ip", ["-json", "link", "show"]);
      const links = JSON.parse(stdout) as { ifname: string; ifindex: number }[];
      return new Map(links.map(({ ifname, ifindex }) => [ifname, ifindex]));
    };
    const before = await indexes();
    asked.news();
    await start();
    expect(asked.news().length).toBeLessThanOrEqual(FEW);
    const after = await indexes();
    expect(after.has(device(FIRST + 1))).toBe(true);
    for (const [name, index] of before) expect([name, after.get(name)]).toEqual([name, index]);
    expect(await Promise.all(SPOKEN.map((vni) => ping(node.host, vni)))).toEqual(SPOKEN.map(() => 3));
  });
});
