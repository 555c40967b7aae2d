/**
 * The network under the overlay. Nodes have the same addresses on either:
 *
 *   switch    node-a eth0 ── [ br0 in poplin-<id>-switch ] ── eth0 node-b
 *   router    node-a eth0 ── [ forwarding in poplin-<id>-router ] ── eth0 node-b
 *
 * The router's ports have their transmit offloads off, so what leaves it is what a wire would carry: every checksum
 * complete, nothing larger than the MTU. A capture there may be judged; one on a node's own veth may not, as it shows
 * unfinished checksums and super-packets.
 */
import type { Host } from "./host.ts";
import type { Lab } from "./lab.ts";
import { ip } from "./netns.ts";
import { ifIpv6, type NodePlan, UNDERLAY } from "./plan.ts";

export interface Network {
  /** Where everything passes. Its port towards a node is called like the node. */
  readonly middle: Host;
  readonly mtu: number;
  /** Plugs a node in, as its eth0, and gives it its addresses. */
  attach(node: Host, plan: NodePlan): void;
}

/** A bridge: one broadcast domain, as docker's network is for kind. */
export function switchNetwork(lab: Lab, mtu = 1500): Network {
  const middle = lab.addHost("switch");
  middle.ip(`link add br0 mtu ${mtu} type bridge`, "link set br0 up");
  return {
    middle,
    mtu,
    attach(node, plan) {
      lab.cable({ host: node, name: "eth0" }, { host: middle, name: plan.name }, mtu);
      middle.ip(`link set ${plan.name} master br0`);
      node.ip(
        `addr add ${plan.address}/${UNDERLAY.prefix} dev eth0`,
        ...ifIpv6(`addr add ${plan.address6}/${UNDERLAY.prefix6} dev eth0 nodad`),
      );
    },
  };
}

/** A router with a port of its own for each node. Needs `ethtool`. */
export function routerNetwork(lab: Lab, mtu = 1500): Network {
  const middle = lab.addHost("router");
  middle.forwarding();
  return {
    middle,
    mtu,
    attach(node, plan) {
      lab.cable({ host: node, name: "eth0" }, { host: middle, name: plan.name }, mtu);
      offloadsOff(middle, plan.name);
      middle.ip(
        `addr add ${UNDERLAY.gateway}/32 dev ${plan.name}`,
        `route add ${plan.address}/32 dev ${plan.name}`,
        ...ifIpv6(
          `addr add ${UNDERLAY.gateway6}/128 dev ${plan.name} nodad`,
          `route add ${plan.address6}/128 dev ${plan.name}`,
        ),
      );
      node.ip(
        `addr add ${plan.address}/32 dev eth0`,
        `route add ${UNDERLAY.gateway} dev eth0`,
        `route add default via ${UNDERLAY.gateway} src ${plan.address}`,
        ...ifIpv6(
          `addr add ${plan.address6}/128 dev eth0 nodad`,
          `route add ${UNDERLAY.gateway6} dev eth0`,
          `route add default via ${UNDERLAY.gateway6} dev eth0 src ${plan.address6}`,
        ),
      );
    },
  };
}

/** Makes the kernel finish checksums and cut super-packets before it hands them to this interface. */
export function offloadsOff(host: Host, interfaceName: string): void {
  const features = ["tx", "tso", "gso", "tx-udp-segmentation"].flatMap((feature) => [feature, "off"]);
  ip(["netns", "exec", host.namespace, "ethtool", "-K", interfaceName, ...features]);
}
