/**
 * A node of a flannel cluster that finds everything by itself: poplin, run as flanneld is run, and a pod behind a bridge
 * with the subnet that subnet.env says, as flannel's CNI plugin would set it up.
 *
 *   pod eth0 ── veth ── cni0 ── forwarding ── flannel.1 (poplin) ── eth0 ── network
 */
import { readFileSync, statSync } from "node:fs";
import type { AgentStatus } from "../agent/api/status-types.ts";
import { addressOf, parseCidr } from "../control/address.ts";
import { parseSubnetEnv } from "../host/subnet-env.ts";
import { AgentProcess } from "./agent-process.ts";
import type { Host } from "./host.ts";
import type { Lab } from "./lab.ts";
import type { Network } from "./network.ts";
import { type NodePlan, planNode } from "./plan.ts";

export interface FlannelNodeOptions {
  /** Flags of `poplin flanneld` that say where the store is, and all others. */
  readonly flags: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** A command that the agent is run under. */
  readonly wrapper?: readonly string[];
}

export class FlannelNode extends AgentProcess {
  readonly plan: NodePlan;
  readonly subnetFile: string;
  /** Flags of the next start. */
  options: FlannelNodeOptions;
  readonly #lab: Lab;
  #pod: Host | undefined;

  /** @param index the node's number, from 0: it decides its addresses in the network */
  constructor(lab: Lab, network: Network, name: string, index: number, options: FlannelNodeOptions) {
    const files = { socket: lab.file(`${name}.sock`), log: lab.file(`${name}.log`) };
    super(lab.addHost(name), files);
    this.plan = planNode(name, index);
    this.subnetFile = lab.file(`${name}.env`);
    this.options = options;
    this.#lab = lab;
    this.host.forwarding();
    network.attach(this.host, this.plan);
  }

  /** Starts poplin, and does not wait until it forwards. */
  launch(): void {
    this.spawn(this.#words, this.#environment, this.options.wrapper);
  }

  /** Has another process take over from the one that runs, as `replace`. */
  takeOver(): Promise<number | null> {
    return this.replace(this.#words, this.#environment);
  }

  get #words(): string[] {
    return ["flanneld", "--iface", "eth0", "--subnet-file", this.subnetFile, ...this.options.flags];
  }

  get #environment(): NodeJS.ProcessEnv {
    return { POPLIN_SOCKET: this.#lab.file(`${this.host.name}.sock`), ...this.options.env };
  }

  /** Starts poplin, and sets up the pod when it forwards. */
  async start(): Promise<void> {
    const before = this.#written();
    this.launch();
    await this.ready();
    // Of an earlier run there is one already.
    while (this.#written() === before) await new Promise((resolve) => setTimeout(resolve, 20));
    this.#pod ??= this.#addPod();
  }

  /** When subnet.env was written, which is the last thing that a start sets up. */
  #written(): bigint | undefined {
    return statSync(this.subnetFile, { bigint: true, throwIfNoEntry: false })?.mtimeNs;
  }

  /** The variables of subnet.env; none while it is not written. */
  subnetEnv(): ReadonlyMap<string, string> {
    try {
      return parseSubnetEnv(readFileSync(this.subnetFile, "utf8"));
    } catch {
      return new Map();
    }
  }

  get pod(): Host {
    return this.#pod!;
  }

  /** The pod's first address: that of IPv4 where there is one. */
  get podIp(): string {
    return this.podIps[0]!;
  }

  /** The pod's addresses, one of each family that is on: the second of the subnet, as the first is the gateway's. */
  get podIps(): string[] {
    return this.#gateways().map((cidr) => {
      const { family, first } = parseCidr(cidr);
      return addressOf(family, first + 2n);
    });
  }

  #gateways(): string[] {
    const env = this.subnetEnv();
    return ["FLANNEL_SUBNET", "FLANNEL_IPV6_SUBNET"].map((name) => env.get(name) ?? "").filter(Boolean);
  }

  #addPod(): Host {
    const mtu = Number(this.subnetEnv().get("FLANNEL_MTU"));
    const pod = this.#lab.addHost(`${this.host.name}-pod`);
    this.host.ip("link add cni0 type bridge", "link set cni0 up");
    this.#lab.cable({ host: this.host, name: "veth2" }, { host: pod, name: "eth0" }, mtu);
    this.host.ip("link set veth2 master cni0");
    for (const [i, cidr] of this.#gateways().entries()) {
      const [gateway, length] = cidr.split("/");
      this.host.ip(`addr add ${cidr} dev cni0`);
      pod.ip(`addr add ${this.podIps[i]}/${length} dev eth0`, `route add default via ${gateway} dev eth0`);
    }
    return pod;
  }

  status(): Promise<AgentStatus> {
    return this.client.status();
  }
}
