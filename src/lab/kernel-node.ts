/** A node whose overlay device is the kernel's own VXLAN, with the options and rows that flannel gives it. */
import type { Lab } from "./lab.ts";
import type { Network } from "./network.ts";
import { DEVICE, LabNode, type NodeOptions, VNI, VXLAN_PORT } from "./node.ts";
import type { NodePlan } from "./plan.ts";

export interface KernelNodeOptions extends NodeOptions {
  /** More options of `ip link add type vxlan`: "tos inherit", "df set", "ttl 9". */
  readonly vxlan?: string;
}

export class KernelNode extends LabNode {
  readonly kind = "kernel";
  readonly #vxlan: string;

  constructor(lab: Lab, network: Network, plan: NodePlan, options: KernelNodeOptions) {
    super(lab, network, plan, options);
    this.#vxlan = options.vxlan ?? "";
  }

  override async start(peers: readonly NodePlan[]): Promise<void> {
    const { vtepMac, overlay, overlay6 } = this.plan;
    const row = (address: string, subnet: string, mac: string): string[] => [
      `neigh replace ${address} lladdr ${mac} dev ${DEVICE} nud permanent`,
      `route replace ${subnet} via ${address} dev ${DEVICE} onlink`,
    ];
    this.host.ip(
      // flannel/pkg/backend/vxlan/device.go: nolearning, everything else the kernel's default
      `link add ${DEVICE} address ${vtepMac} mtu ${this.options.mtu} type vxlan id ${VNI} dev eth0 ` +
        `local ${this.vtepAddress()} dstport ${VXLAN_PORT} nolearning ${this.#vxlan}`,
      `link set ${DEVICE} up`,
      `addr add ${overlay}/32 dev ${DEVICE}`,
      ...peers.flatMap((peer) => row(peer.overlay, peer.subnet, peer.vtepMac)),
    );
    if (this.options.ipv6) {
      this.host.ip(
        `addr add ${overlay6}/128 dev ${DEVICE}`,
        ...peers.flatMap((peer) => row(peer.overlay6, peer.subnet6, peer.vtepMac)),
      );
    }
    for (const peer of peers) {
      await this.host.exec("bridge", [
        ...["fdb", "replace", peer.vtepMac, "dev", DEVICE],
        ...["dst", this.vtepAddress(peer), "self", "permanent"],
      ]);
    }
  }
}
