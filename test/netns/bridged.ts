/**
 * Hosts with a VXLAN device as a port of a bridge, each with a station behind it that knows nothing of all this:
 *
 *   station-p ── br0 ── vx100 (poplin vtep) ── eth0 ┐
 *   station-k ── br0 ── vx100 (the kernel's) ─ eth0 ┼─ switch
 *   station-l ── br0 ── vx100 (the kernel's) ─ eth0 ┘
 *
 * Stations are 10.9.0.x and fd00:9::x. In VLAN 7 the hosts themselves are 10.7.0.x, once `tagged` has been called.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ApiClient } from "../../src/agent/api/client.ts";
import type { FdbRow } from "../../src/dataplane/options.ts";
import { POPLIN } from "../../src/lab/agent-process.ts";
import type { Host } from "../../src/lab/host.ts";
import { Lab } from "../../src/lab/lab.ts";
import { type Network, switchNetwork } from "../../src/lab/network.ts";
import { ping as pingHost } from "../../src/lab/ping.ts";
import { type NodePlan, planNode } from "../../src/lab/plan.ts";
import { until } from "./agents.ts";
import { ready } from "./stress/traffic.ts";

const TAGGER = fileURLToPath(new URL("./stress/tagger.mjs", import.meta.url));

export const VNI = 100;
export const DEVICE = "vx100";

export interface BridgedOptions {
  /** Of the underlay. */
  readonly family: 4 | 6;
  readonly port: number;
  /** A multicast group; left out: each host has a copy sent to each of the others. */
  readonly group?: string;
  readonly ageing?: number;
  /** More arguments for `poplin vtep`. */
  readonly args?: readonly string[];
  /** More options for the kernel's devices. */
  readonly vxlan?: string;
}

/** One host, its bridge and its station. */
export class BridgedHost {
  readonly host: Host;
  readonly station: Host;
  readonly plan: NodePlan;
  readonly index: number;
  readonly address: string;

  constructor(lab: Lab, network: Network, name: string, index: number, { family }: BridgedOptions) {
    this.index = index;
    this.plan = planNode(`host-${name}`, index);
    this.address = family === 4 ? this.plan.address : this.plan.address6;
    this.host = lab.addHost(this.plan.name);
    network.attach(this.host, this.plan);
    this.host.ip("route add 224.0.0.0/4 dev eth0", "link add br0 mtu 1430 type bridge", "link set br0 up");
    this.station = lab.addHost(`station-${name}`);
    lab.cable({ host: this.host, name: "station" }, { host: this.station, name: "eth0" }, 1430);
    this.host.ip("link set station master br0");
    this.station.ip(
      "link set eth0 down",
      `link set eth0 address ${this.mac}`,
      "link set eth0 up",
      `addr add 10.9.0.${this.number}/24 dev eth0`,
      `addr add fd00:9::${this.number}/64 dev eth0 nodad`,
    );
  }

  get number(): number {
    return this.index + 2;
  }

  /** The station's. */
  get mac(): string {
    return `02:99:00:00:00:0${this.number}`;
  }
}

/** poplin and two kernels. */
export class Bridged {
  readonly lab: Lab;
  readonly options: BridgedOptions;
  readonly p: BridgedHost;
  readonly k: BridgedHost;
  readonly l: BridgedHost;
  readonly client: ApiClient;
  readonly log: string;
  #process: ChildProcess | null = null;

  static async start(options: BridgedOptions): Promise<Bridged> {
    const lab = Lab.create();
    try {
      const bridged = new Bridged(lab, options);
      for (const one of [bridged.k, bridged.l]) bridged.#startKernel(one);
      await bridged.startPoplin();
      return bridged;
    } catch (error) {
      lab.destroy();
      throw error;
    }
  }

  private constructor(lab: Lab, options: BridgedOptions) {
    this.lab = lab;
    this.options = options;
    const network = switchNetwork(lab);
    const [p, k, l] = ["p", "k", "l"].map((name, i) => new BridgedHost(lab, network, name, i, options));
    this.p = p!;
    this.k = k!;
    this.l = l!;
    this.client = new ApiClient(lab.file("vtep.sock"));
    this.log = lab.file("vtep.log");
  }

  get hosts(): readonly BridgedHost[] {
    return [this.p, this.k, this.l];
  }

  #othersOf(one: BridgedHost): BridgedHost[] {
    return this.hosts.filter((other) => other !== one);
  }

  #startKernel(one: BridgedHost): void {
    const { port, group, ageing = 300, vxlan = "" } = this.options;
    const flood = group === undefined ? "" : `group ${group}`;
    one.host.ip(
      `link add ${DEVICE} mtu 1430 type vxlan id ${VNI} dev eth0 local ${one.address} ${flood} dstport ${port} ageing ${ageing} ${vxlan}`,
      `link set ${DEVICE} up`,
      `link set ${DEVICE} master br0`,
    );
    if (group !== undefined) return;
    const rows = this.#othersOf(one).map(
      (other) => `fdb append 00:00:00:00:00:00 dev ${DEVICE} dst ${other.address}`,
    );
    for (const row of rows) this.bridge(one, row);
  }

  /** Runs a `bridge` command on a host. */
  bridge(one: BridgedHost, words: string): Promise<string> {
    return one.host.exec("bridge", words.split(" ")).then(({ stdout }) => stdout);
  }

  /** Starts `poplin vtep` with the options that the kernels have, and makes its device a port of the bridge. */
  async startPoplin(): Promise<void> {
    await this.#spawnPoplin();
    this.p.host.ip(`link set ${DEVICE} master br0`);
  }

  /** Has another process take over from the one that runs. @returns the exit code of the latter */
  async takeOver(): Promise<number | null> {
    const before = this.#process!;
    const ended = once(before, "exit");
    await this.#spawnPoplin("--take-over");
    await ended;
    return before.exitCode;
  }

  async #spawnPoplin(...more: string[]): Promise<void> {
    const { port, group, ageing = 300, args = [] } = this.options;
    const flood =
      group === undefined
        ? ["--remote", ...this.#othersOf(this.p).map(({ address }) => address)]
        : ["--group", group];
    const words = [
      ...["vtep", "--vni", String(VNI), "--device", DEVICE, "--mtu", "1430", "--dev", "eth0"],
      ...["--local", this.p.address, "--dstport", String(port), "--ageing", String(ageing)],
      ...["--socket", this.client.path, ...flood, ...args, ...more],
    ];
    const log = openSync(this.log, "a");
    const child = this.p.host.spawn(process.execPath, [POPLIN, ...words], { stdio: ["ignore", log, log] });
    closeSync(log);
    this.#process = child;
    await until("the start of poplin vtep", async () => {
      if (child.exitCode !== null) throw new Error(`poplin vtep ended: ${readFileSync(this.log, "utf8")}`);
      const status = await this.client.status().catch(() => null);
      return status?.state === "running" && status.pid === child.pid;
    });
  }

  /** Gives a host an address in VLAN 7 of its bridge. */
  async tagged(one: BridgedHost): Promise<void> {
    const options = JSON.stringify({ inner: "tagged0", trunk: "trunk0", tag: 7 });
    const stdio = ["pipe", "pipe", "inherit"] as ["pipe", "pipe", "inherit"];
    await ready(one.host.spawn(process.execPath, [TAGGER, options], { stdio }), one.host);
    one.host.ip(
      "link set trunk0 master br0",
      "link set trunk0 up",
      "link set tagged0 mtu 1430",
      "link set tagged0 up",
      `addr add 10.7.0.${one.number}/24 dev tagged0`,
    );
  }

  /** Pid of poplin. */
  get pid(): number {
    return this.#process!.pid!;
  }

  /** What poplin has learned: station MACs and where they are. */
  async learned(): Promise<Readonly<Record<string, FdbRow>>> {
    const rows = await this.client.fdb();
    return Object.fromEntries(rows.filter(({ state }) => state === "learned").map((row) => [row.mac, row]));
  }

  /** Where a kernel's device says that a MAC is; undefined where it does not know. */
  async kernelPlace(one: BridgedHost, mac: string): Promise<string | undefined> {
    const rows = JSON.parse(await this.bridge(one, `-j fdb show dev ${DEVICE}`)) as {
      mac: string;
      dst?: string;
    }[];
    return rows.find((row) => row.mac === mac && row.dst !== undefined)?.dst;
  }

  /** Frames that a kernel's device has received. */
  async received(one: BridgedHost): Promise<number> {
    const { stdout } = await one.host.exec("ip", ["-s", "-j", "link", "show", DEVICE]);
    return JSON.parse(stdout)[0].stats64.rx.packets;
  }

  destroy(): void {
    this.lab.destroy();
  }
}

/** Pings from a station. @returns how many answers came */
export function ping(from: BridgedHost, to: string, count = 3, ...args: string[]): Promise<number> {
  return pingFrom(from.station, to, count, ...args);
}

/** The same from any host. */
export async function pingFrom(from: Host, to: string, count = 3, ...args: string[]): Promise<number> {
  return (await pingHost(from, to, { count, args })).answered;
}
