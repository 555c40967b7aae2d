/** A flannel cluster in a lab: nodes that find each other through a store, and what their pods say to each other. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { FlannelNode, type FlannelNodeOptions } from "../../../src/lab/flannel-node.ts";
import { Lab } from "../../../src/lab/lab.ts";
import { type Network, switchNetwork } from "../../../src/lab/network.ts";
import { until } from "../agents.ts";
import { datagrams, serve, stream } from "../pods.ts";

export const NET_CONF = { Network: "10.244.0.0/16", Backend: { Type: "vxlan" } };

export class FlannelLab {
  readonly lab: Lab;
  readonly network: Network;
  readonly nodes: FlannelNode[] = [];

  constructor() {
    this.lab = Lab.create();
    this.network = switchNetwork(this.lab);
  }

  /** Adds a node, which is not started yet. */
  add(name: string, options: FlannelNodeOptions): FlannelNode {
    const node = new FlannelNode(this.lab, this.network, name, this.nodes.length, options);
    this.nodes.push(node);
    return node;
  }

  destroy(): void {
    this.lab.destroy();
  }
}

/** A lab whose nodes meet in a directory. */
export class DirectoryLab extends FlannelLab {
  readonly directory: string;

  constructor(conf: object = NET_CONF) {
    super();
    this.directory = this.lab.file("store");
    mkdirSync(join(this.directory, "subnets"), { recursive: true });
    this.setConf(JSON.stringify(conf));
  }

  setConf(text: string): void {
    writeFileSync(join(this.directory, "config"), text);
  }

  /** @param flags beside those that say where the store is */
  node(name: string, flags: readonly string[] = ["--ip-masq"]): FlannelNode {
    return this.add(name, { flags: ["--lease-dir", this.directory, ...flags] });
  }

  /** Starts nodes of these names at once, and waits until they know each other. */
  async start(...names: string[]): Promise<FlannelNode[]> {
    const nodes = names.map((name) => this.node(name));
    await Promise.all(nodes.map((node) => node.start()));
    await allKnown(nodes);
    return nodes;
  }

  write(key: string, lease: object | string): void {
    const text = typeof lease === "string" ? lease : JSON.stringify(lease);
    writeFileSync(join(this.directory, "subnets", key), text);
  }

  read(key: string): string {
    return readFileSync(join(this.directory, "subnets", key), "utf8");
  }

  remove(key: string): void {
    rmSync(join(this.directory, "subnets", key));
  }
}

/** The key of a node's lease: its subnet, as flannel writes it. */
export function keyOf(node: FlannelNode): string {
  return node.subnetEnv().get("FLANNEL_SUBNET")!.replace("1/24", "0-24");
}

/** Waits until each of these nodes has all the others as peers, in place. */
export async function allKnown(nodes: readonly FlannelNode[]): Promise<void> {
  for (const node of nodes) {
    const wanted = nodes.filter((other) => other !== node).map((other) => other.plan.address);
    await until(
      `${node.host.name} knows the others`,
      async () => {
        const { peers } = await node.status();
        const known = peers.filter(({ state }) => state === "ok").map(({ publicIp }) => publicIp);
        return wanted.every((address) => known.includes(address));
      },
      20_000,
    );
  }
}

/** Whether a pod answers another one's ping. */
export async function answers(from: FlannelNode, address: string): Promise<boolean> {
  const words = ["-n", "-c", "3", "-i", "0.1", "-W", "2", address];
  return (await from.pod.exec("ping", words, { check: false })).status === 0;
}

/** Every pod reaches every other one: ping, TCP both ways, UDP. */
export async function allReach(nodes: readonly FlannelNode[]): Promise<void> {
  await Promise.all(nodes.map((node) => serve(node.pod)));
  const pairs = nodes.flatMap((from) => nodes.filter((to) => to !== from).map((to) => ({ from, to })));
  for (const { from, to } of pairs) {
    const pair = `${from.host.name} → ${to.host.name}`;
    expect([pair, await answers(from, to.podIp)]).toEqual([pair, true]);
    expect([pair, await stream(from.pod, to.podIp, 300_000)]).toEqual([pair, { sent: true, received: true }]);
    const { sent, received } = await datagrams(from.pod, to.podIp, [{ bytes: 100 }, { bytes: 1400 }]);
    expect([pair, received]).toEqual([pair, sent]);
  }
}
