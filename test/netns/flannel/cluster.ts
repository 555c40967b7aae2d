/** A flannel cluster in a lab: nodes that find each other through a store, and what their pods say to each other. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { parseCidr } from "../../../src/control/address.ts";
import { FlannelNode, type FlannelNodeOptions } from "../../../src/lab/flannel-node.ts";
import { Lab } from "../../../src/lab/lab.ts";
import { type Network, switchNetwork } from "../../../src/lab/network.ts";
import { until } from "../agents.ts";
import { datagrams, serve, stream } from "../pods.ts";

export const NET_CONF = { Network: "10.244.0.0/16", Backend: { Type: "vxlan" } };

/** Of both families. */
export const DUAL = {
  EnableIPv6: true,
  ...{ Network: "10.244.0.0/16", IPv6Network: "fd00:10:244::/48" },
  Backend: { Type: "vxlan" },
};

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

  has(key: string): boolean {
    return existsSync(join(this.directory, "subnets", key));
  }

  remove(key: string): void {
    rmSync(join(this.directory, "subnets", key));
  }
}

/** The key of a node's lease: its subnets, as flannel writes them. */
export function keyOf(node: FlannelNode): string {
  return subnetsOf(node)
    .map((subnet) => subnet.replace("/", "-"))
    .join("&");
}

/** The node's subnets, IPv4 first: "10.244.1.0/24". */
export function subnetsOf(node: FlannelNode): string[] {
  const env = node.subnetEnv();
  return ["FLANNEL_SUBNET", "FLANNEL_IPV6_SUBNET"].flatMap((name) => {
    const gateway = env.get(name);
    if (gateway === undefined) return [];
    const { network, prefix } = parseCidr(gateway);
    return [`${network}/${prefix}`];
  });
}

/** The node's address in the network under the overlay, of either family. */
export function addressesOf(node: FlannelNode): readonly string[] {
  return [node.plan.address, node.plan.address6];
}

/** Lines of a node's log that match. */
export function lines(node: FlannelNode, pattern: RegExp): string[] {
  return node
    .log()
    .split("\n")
    .filter((line) => pattern.test(line));
}

/** Waits until each of these nodes has all the others as peers, in place, in each of its families. */
export async function allKnown(nodes: readonly FlannelNode[]): Promise<void> {
  for (const node of nodes) {
    const others = nodes.filter((other) => other !== node);
    await until(
      `${node.host.name} knows the others`,
      async () => {
        const { overlays } = await node.status();
        return overlays.every(({ peers }) => {
          const known = peers.filter(({ state }) => state === "ok").map(({ publicIp }) => publicIp);
          return others.every((other) => addressesOf(other).some((address) => known.includes(address)));
        });
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

/** Every pod reaches every other one, in each family: by ping each from each, by TCP and UDP each pair. */
export async function allReach(nodes: readonly FlannelNode[]): Promise<void> {
  await Promise.all(nodes.map((node) => serve(node.pod)));
  const pings = nodes.flatMap((from) =>
    nodes
      .filter((to) => to !== from)
      .flatMap((to) => to.podIps.map(async (ip) => [from.host.name, ip, await answers(from, ip)])),
  );
  expect((await Promise.all(pings)).filter(([, , answered]) => !answered)).toEqual([]);
  for (const [i, from] of nodes.entries()) {
    for (const to of nodes.slice(i + 1)) {
      for (const address of to.podIps) {
        const pair = `${from.host.name} → ${address}`;
        expect([pair, await stream(from.pod, address, 300_000)]).toEqual([pair, BOTH]);
        const { sent, received } = await datagrams(from.pod, address, [{ bytes: 100 }, { bytes: 1350 }]);
        expect([pair, received]).toEqual([pair, sent]);
      }
    }
  }
}

const BOTH = { sent: true, received: true };
