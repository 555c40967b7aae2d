/**
 * A node whose pods are set up by real CNI plugins, from a subnet.env that stands there, and a client beyond it. All that
 * plugins keep lies in the lab's directory.
 *
 *   client 192.0.2.2 ── eth0 192.0.2.1 node ── cni0 ── veth… ── eth0 pod
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { formatConflist } from "../../../src/cni/conflist.ts";
import { parsePodNetwork } from "../../../src/cni/pod-network.ts";
import { formatSubnetEnv, type SubnetEnv } from "../../../src/host/subnet-env.ts";
import { CniRuntime } from "../../../src/lab/cni.ts";
import type { Host } from "../../../src/lab/host.ts";
import { Lab } from "../../../src/lab/lab.ts";
import { IPV6 } from "../../../src/lab/plan.ts";
import { ROOT } from "../../helpers/imports.ts";

export const PLUGINS = "/usr/lib/cni";

/** How pods are set up: by flannel's plugin of ours, or by what --write-cni-conf writes. */
export type Way = "plugin" | "conflist";
export const WAYS: readonly Way[] = ["plugin", "conflist"];

export const ENV: SubnetEnv = {
  ipv4: { network: "10.244.0.0/16", subnet: "10.244.1.1/24" },
  ipv6: IPV6 ? { network: "fd00:10:244::/48", subnet: "fd00:10:244:1::1/64" } : null,
  mtu: 1430,
  ipMasq: true,
};

export interface StageOptions {
  readonly env?: SubnetEnv;
  readonly cniVersion?: string;
}

export class CniStage {
  readonly lab = Lab.create();
  readonly node: Host;
  readonly client: Host;
  readonly cni: CniRuntime;
  /** What is looked at for leftovers: the plugins' directories. */
  readonly #kept: string;

  constructor(way: Way, { env = ENV, cniVersion = "1.0.0" }: StageOptions = {}) {
    this.node = this.lab.addHost("node-a");
    this.client = this.lab.addHost("client");
    this.lab.cable({ host: this.node, name: "eth0" }, { host: this.client, name: "eth0" });
    this.node.ip("addr add 192.0.2.1/24 dev eth0");
    this.client.ip("addr add 192.0.2.2/24 dev eth0", "route add 10.244.0.0/16 via 192.0.2.1");
    this.node.forwarding();
    this.#kept = this.lab.file("kept");
    for (const name of ["kept", "bin"]) mkdirSync(this.lab.file(name), { recursive: true });
    symlinkSync(join(ROOT, "dist/cni/flannel"), join(this.lab.file("bin"), "flannel"));
    const conf = this.lab.file("10-net.conflist");
    writeFileSync(conf, way === "plugin" ? this.#plugin(env, cniVersion) : this.#conflist(env));
    const bin = [this.lab.file("bin"), PLUGINS];
    this.cni = new CniRuntime(this.node, { conf, bin, cache: join(this.#kept, "results") });
  }

  /** What runtimes are given beside flannel's plugin: kube-flannel's, with directories of the lab's. */
  #plugin(env: SubnetEnv, cniVersion: string): string {
    const subnetFile = this.lab.file("subnet.env");
    writeFileSync(subnetFile, formatSubnetEnv(env));
    const flannel = {
      type: "flannel",
      subnetFile,
      dataDir: join(this.#kept, "flannel"),
      ipam: { dataDir: join(this.#kept, "host-local") },
      delegate: { hairpinMode: true, isDefaultGateway: true },
    };
    const portmap = { type: "portmap", capabilities: { portMappings: true } };
    return JSON.stringify({ name: "cbr0", cniVersion, plugins: [flannel, portmap] });
  }

  /** What flanneld writes, with a directory of the lab's for addresses. */
  #conflist(env: SubnetEnv): string {
    const list = JSON.parse(formatConflist(parsePodNetwork(formatSubnetEnv(env), "subnet.env")));
    list.plugins[0].ipam.dataDir = join(this.#kept, "host-local");
    return JSON.stringify(list);
  }

  /** From now on one of Debian's plugins is run by a script, which ends with what it is given as `$REAL`. */
  wrap(type: string, script: string): void {
    const text = `#!/bin/sh\nREAL=${join(PLUGINS, type)}\n${script}\n`;
    writeFileSync(join(this.lab.file("bin"), type), text, { mode: 0o755 });
  }

  unwrap(type: string): void {
    rmSync(join(this.lab.file("bin"), type));
  }

  addPods(count: number): Host[] {
    return Array.from({ length: count }, () => this.lab.addHost(`pod-${this.lab.hosts.length}`));
  }

  /** Everything that pods may leave on their node: links, addresses, routes, firewall, files. */
  async state(): Promise<Record<string, string[]>> {
    const lines = async (command: string, ...args: string[]): Promise<string[]> => {
      const { stdout } = await this.node.exec(command, args);
      return stdout.split("\n").map((line) => line.trim());
    };
    // Of an interface's own making, or of the moment: link-local addresses follow MACs, a bridge notices a little later
    // that its last port is gone, and counters count.
    const firewall = (all: readonly string[]): string[] =>
      all.filter((line) => !line.startsWith("#")).map((line) => line.replace(/ \[\d+:\d+\]$/, ""));
    const lasting = (all: readonly string[]): string[] =>
      all.filter((line) => !/fe80|ff00/.test(line)).map((line) => line.replace(" linkdown", ""));
    const [links, addresses, routes, v4, v6, nft] = await Promise.all([
      lines("ip", "-o", "link", "show"),
      lines("ip", "-br", "addr", "show"),
      lines("ip", "route", "show", "table", "all"),
      lines("iptables-save"),
      lines("ip6tables-save"),
      lines("nft", "--stateless", "list", "ruleset"),
    ]);
    return {
      links: links.map((line) => /^\d+: ([^:@]+)/.exec(line)?.[1] ?? ""),
      addresses: addresses.map((line) =>
        line
          .replace(/ (UP|DOWN|UNKNOWN|fe80\S+)/g, "")
          .replace(/ +/g, " ")
          .trim(),
      ),
      routes: lasting(routes),
      iptables: firewall([...v4, ...v6]),
      nft,
      files: this.#files(),
    };
  }

  /** Names and contents; the address that host-local gave last it remembers, so that the next pod gets another. */
  #files(): string[] {
    return readdirSync(this.#kept, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => {
        const path = join(parentPath, name);
        return name.startsWith("last_reserved_ip") ? path : `${path}: ${readFileSync(path, "utf8")}`;
      })
      .sort();
  }

  destroy(): void {
    this.lab.destroy();
  }
}

/** A stage on which a pod was already and is gone: the bridge and portmap's own chains stay, as they are made to. */
export async function settledStage(way: Way, options: StageOptions = {}): Promise<CniStage> {
  const stage = new CniStage(way, options);
  try {
    const [pod] = stage.addPods(1);
    await stage.cni.add(pod!, { capabilities: mapped(8000) });
    await stage.cni.del(pod!);
    return stage;
  } catch (error) {
    stage.destroy();
    throw error;
  }
}

/** A port of the node's for port 80 of a pod, in both families. */
export function mapped(hostPort: number) {
  return { portMappings: [{ hostPort, containerPort: 80, protocol: "tcp" }] };
}

/** The node is as it was. */
export async function expectState(stage: CniStage, before: Record<string, string[]>): Promise<void> {
  expect(await stage.state()).toEqual(before);
}
