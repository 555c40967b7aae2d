/**
 * A node as a cluster would build it, without its overlay device:
 *
 *   pod-a                     node-a
 *   eth0 10.244.1.2/24 ────── vethN ── cni0 10.244.1.1/24 ── forwarding ── (overlay device) ── eth0 172.19.0.2
 *
 * Who makes the overlay device is the difference between the kinds (`kernel-node.ts`, `poplin-node.ts`).
 */
import type { Host } from "./host.ts";
import type { Lab } from "./lab.ts";
import type { Network } from "./network.ts";
import { ifIpv6, type NodePlan, podAddress, podName } from "./plan.ts";

/** The overlay device's name: that of flannel for VNI 1. */
export const DEVICE = "flannel.1";
export const VNI = 1;
export const VXLAN_PORT = 8472;

export interface NodeOptions {
  /** Address family of the outer header. */
  readonly family: 4 | 6;
  /** Largest inner IP packet. */
  readonly mtu: number;
  /** Whether the overlay carries the pods' IPv6 too: flannel would use a second device for it, one is enough. */
  readonly ipv6: boolean;
}

/** What encapsulation takes from the underlay's MTU: inner Ethernet 14 + VXLAN 8 + UDP 8 + IP. */
export function overhead(family: 4 | 6): number {
  return family === 4 ? 50 : 70;
}

export abstract class LabNode {
  readonly plan: NodePlan;
  readonly host: Host;
  /** The first pod. */
  readonly pod: Host;
  readonly options: NodeOptions;
  protected readonly lab: Lab;
  #pods = 0;

  constructor(lab: Lab, network: Network, plan: NodePlan, options: NodeOptions) {
    this.lab = lab;
    this.plan = plan;
    this.options = options;
    this.host = lab.addHost(plan.name);
    this.host.forwarding();
    network.attach(this.host, plan);
    this.host.ip(
      "link add cni0 type bridge",
      "link set cni0 up",
      `addr add ${plan.gateway}/24 dev cni0`,
      ...ifIpv6(`addr add ${plan.gateway6}/64 dev cni0 nodad`),
    );
    this.pod = this.addPod();
  }

  /** Makes the overlay device and joins the others. */
  abstract start(peers: readonly NodePlan[]): Promise<void>;

  /** What it is: "poplin" or "kernel". */
  abstract readonly kind: string;

  /** The address of this node's, or another's, tunnel endpoint. */
  vtepAddress(plan: NodePlan = this.plan): string {
    return this.options.family === 4 ? plan.address : plan.address6;
  }

  /** Adds a pod to the bridge: the first is number 2 and called "pod-a", the next 3 and "pod-a-3". */
  addPod(): Host {
    const n = 2 + this.#pods++;
    const name = n === 2 ? podName(this.plan.name) : `${podName(this.plan.name)}-${n}`;
    const pod = this.lab.addHost(name);
    const { v4, v6 } = podAddress(this.plan, n);
    this.lab.cable({ host: this.host, name: `veth${n}` }, { host: pod, name: "eth0" }, this.options.mtu);
    this.host.ip(`link set veth${n} master cni0`);
    pod.ip(
      `addr add ${v4}/24 dev eth0`,
      `route add default via ${this.plan.gateway}`,
      ...ifIpv6(`addr add ${v6}/64 dev eth0 nodad`, `route add default via ${this.plan.gateway6} dev eth0`),
    );
    return pod;
  }
}
