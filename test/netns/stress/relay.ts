/**
 * A bad network between two nodes: a host with an address on either side, which each node takes for the other's.
 *
 *   node-a 172.19.0.2 ── 172.20.0.2 [ relay ] 172.20.0.1 ── 172.19.0.3 node-b
 *            node-a's peer is 172.20.0.2,    node-b's is 172.20.0.1
 *
 * What a node sends there a process receives, spoils (`relay/faults.mjs`) and sends on from the other side's address.
 * The outer headers are made anew on the way, so a flipped bit arrives in a datagram whose outer checksum is right:
 * only the inner checksums are left to notice it.
 */
import type { Host } from "../../../src/lab/host.ts";
import type { Lab } from "../../../src/lab/lab.ts";
import type { Network } from "../../../src/lab/network.ts";
import { ifIpv6, type NodePlan } from "../../../src/lab/plan.ts";
import { Helper } from "../traffic/helper.ts";

/** Probabilities per datagram of the wire; at most one of the first four happens to one. */
export interface Rates {
  readonly loss?: number;
  readonly duplicate?: number;
  /** It is overtaken by 1 to 24 later ones. */
  readonly reorder?: number;
  /** One bit anywhere in the UDP payload. */
  readonly flip?: number;
  /** ECT becomes CE, in the outer header. */
  readonly mark?: number;
}

export interface RelayOptions {
  readonly family: 4 | 6;
  readonly rates?: Rates;
  readonly seed?: number;
  /** Whether it receives and sends trains of datagrams (UDP_GRO, UDP_SEGMENT), or each by itself. */
  readonly gro: boolean;
  readonly gso: boolean;
}

/** What has happened in one direction (`relay/way.mjs`). */
export type Counts = Readonly<
  Record<
    | ("seen" | "lost" | "duplicated" | "reordered" | "flipped" | "marked" | "trainsIn" | "trainsOut")
    | ("superFrames" | "ece" | "cwr" | "cwrAgain" | "refused" | "overflows"),
    number
  >
>;

/** The network with the relay in its middle. It carries two nodes. */
export class RelayNetwork implements Network {
  readonly middle: Host;
  readonly mtu: number;
  readonly #lab: Lab;
  readonly #nodes: NodePlan[] = [];
  #latest: Relay | undefined;

  constructor(lab: Lab, mtu = 1500) {
    this.#lab = lab;
    this.mtu = mtu;
    this.middle = lab.addHost("relay");
  }

  attach(node: Host, plan: NodePlan): void {
    const { middle, mtu } = this;
    const gate = standIn(1 - this.#nodes.length);
    this.#nodes.push(plan);
    this.#lab.cable({ host: node, name: "eth0" }, { host: middle, name: plan.name }, mtu);
    middle.ip(
      `addr add ${gate.address}/32 dev ${plan.name}`,
      `route add ${plan.address}/32 dev ${plan.name}`,
      ...ifIpv6(
        `addr add ${gate.address6}/128 dev ${plan.name} nodad`,
        `route add ${plan.address6}/128 dev ${plan.name}`,
      ),
    );
    node.ip(
      `addr add ${plan.address}/32 dev eth0`,
      `route add ${gate.address} dev eth0 src ${plan.address}`,
      ...ifIpv6(
        `addr add ${plan.address6}/128 dev eth0 nodad`,
        `route add ${gate.address6} dev eth0 src ${plan.address6}`,
      ),
    );
  }

  /** What the other node has to know of node number `index` to reach it through the relay. */
  seen(index: number): NodePlan {
    return { ...this.#nodes[index]!, ...standIn(index) };
  }

  /** Starts the relay; without it nothing passes. */
  async start({ family, rates = {}, seed = 1, gro, gso }: RelayOptions): Promise<Relay> {
    const of = (plan: { address: string; address6: string }) => (family === 4 ? plan.address : plan.address6);
    const sides = this.#nodes.map((node, i) => ({ local: of(standIn(1 - i)), peer: of(node) }));
    const options = { sides, family, mtu: this.mtu, seed, rates, gro, gso };
    // A test that took too long has left its relay behind, and the port with it.
    await this.#latest?.kill();
    const relay = new Relay(this.middle, options);
    this.#latest = relay;
    await relay.counts();
    return relay;
  }
}

/** The address under which node number `index` is known on the other side. */
function standIn(index: number): { address: string; address6: string } {
  return { address: `172.20.0.${index + 1}`, address6: `fd00:172:20::${index + 1}` };
}

export class Relay {
  readonly #helper: Helper;

  constructor(host: Host, options: unknown) {
    this.#helper = new Helper(host, "../stress/relay/relay.mjs", [JSON.stringify(options)]);
  }

  /** What has happened so far: from the first node to the second, and back. */
  counts(): Promise<[Counts, Counts]> {
    return this.#helper.ask({});
  }

  /** Ends it. @returns what has happened */
  async stop(): Promise<[Counts, Counts]> {
    const counts = await this.counts();
    await this.kill();
    return counts;
  }

  /** Ends it. Safe to call twice. */
  kill(): Promise<void> {
    return this.#helper.stop();
  }
}

/** Both directions together. */
export function total(counts: readonly Counts[]): Counts {
  const sum: Record<string, number> = {};
  for (const one of counts) {
    for (const [name, n] of Object.entries(one)) sum[name] = (sum[name] ?? 0) + n;
  }
  return sum as Counts;
}
