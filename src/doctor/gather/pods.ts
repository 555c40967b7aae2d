/** This node's pods: the bridge that has their gateway, and whether packets get from there to a peer and back. */
import type { CarrierStatus, OverlayStatus } from "../../agent/api/status-types.ts";
import { addressOf, addressValue, type Cidr, cidrContains, parseCidr } from "../../control/address.ts";
import type { PodsEvidence } from "../evidence.ts";
import type { Packet } from "../firewall/packet.ts";
import type { Ruleset } from "./firewall.ts";
import { type HostLink, lookUp } from "./ip.ts";
import { sysctl } from "./proc.ts";

const FORWARDING = { 4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding" } as const;
/** Any port that a pod may serve on: rules for single ports are somebody's policy. */
const SOME_PORT = 40_000;

export interface Pods {
  readonly bridge: HostLink;
  readonly gateway: Cidr;
  /** Where a pod of ours, and one of a peer's, would be. */
  readonly here: string;
  readonly there: string;
}

/** @returns null where no interface beside the overlay's has addresses of this node's subnet */
export function findPods(
  { device, peers }: OverlayStatus,
  { uplink }: CarrierStatus,
  links: readonly HostLink[],
): Pods | null {
  for (const own of device.addresses.map((text) => parseCidr(text))) {
    const subnets = peers.flatMap(({ subnets }) => subnets.map((text) => parseCidr(text)));
    const peer = subnets.find(({ family }) => family === own.family);
    if (peer === undefined) continue;
    for (const bridge of links) {
      if (bridge.name === device.name || bridge.name === uplink || !bridge.up) continue;
      const gateway = bridge.addresses
        .map((text) => parseCidr(text))
        .find((cidr) => isPods(cidr, peer) && cidrContains(cidr, own.address));
      if (gateway === undefined) continue;
      const here = addressOf(gateway.family, addressValue(gateway.address) + 1n);
      return { bridge, gateway, here, there: addressOf(peer.family, peer.first + 2n) };
    }
  }
  return null;
}

/** A node has a subnet as large as another's; a VPN's network that has them all within it is nobody's pods. */
function isPods(cidr: Cidr, peer: Cidr): boolean {
  return cidr.prefix >= peer.prefix && cidr.last > cidr.first;
}

/** The packets that a firewall is asked about. */
export function podPackets({ bridge, here, there, gateway }: Pods, device: string): [Packet, Packet] {
  const { family } = gateway;
  const common = { hook: "forward", family, proto: "tcp", sport: SOME_PORT, dport: SOME_PORT } as const;
  return [
    { ...common, iif: bridge.name, oif: device, src: here, dst: there },
    { ...common, iif: device, oif: bridge.name, src: there, dst: here },
  ];
}

export async function lookAtPods(pods: Pods, device: string, ruleset: Ruleset): Promise<PodsEvidence> {
  const { bridge, gateway, here, there } = pods;
  const [out, into] = podPackets(pods, device);
  const lookups = [await lookUp(there, here, bridge.name), await lookUp(here, there, device)];
  const met = (packet: Packet) => {
    const blocked = ruleset.blocked(packet);
    return blocked === null ? null : { ...blocked, grew: null };
  };
  return {
    bridge: bridge.name,
    family: gateway.family,
    mtu: bridge.mtu,
    forwarding: sysctl(FORWARDING[gateway.family]),
    lookups,
    blockedOut: met(out),
    blockedIn: met(into),
  };
}
