/**
 * Who we are in the cluster, and how the dataplane is set → the configuration of the agent, one for each address family.
 * What the network and the lease decide is taken from there; the rest (sender check, offloads, queues, …) comes from
 * the environment and poplin's file, as with `poplin agent`.
 */
import type { Family } from "../../control/address.ts";
import { parseCidr } from "../../control/address.ts";
import type { VxlanBackend } from "../../control/flannel/backend.ts";
import type { Lease } from "../../control/lease.ts";
import { overlayOverhead } from "../../control/mtu.ts";
import type { AgentConfig } from "../config/load.ts";
import { ConfigError, type Place, type Problem } from "../config/problems.ts";
import type { SettingName } from "../config/schema.ts";

/** Settings that are not this node's to choose, and who chooses them. */
export const DECIDED: Partial<Readonly<Record<SettingName, string>>> = {
  vni: "the cluster decides it: Backend.VNI in net-conf.json",
  port: "the cluster decides it: Backend.Port in net-conf.json",
  mtu: "the cluster decides it: Backend.MTU in net-conf.json, or the uplink's MTU",
  gbp: "the cluster decides it: Backend.GBP in net-conf.json",
  learning: "the cluster decides it: Backend.Learning in net-conf.json",
  device: "it is called flannel.VNI, as flanneld calls it",
  address: "it is the first address of the node's subnet, as with flanneld",
  vtepMac: "a node of a flannel cluster keeps the MAC that it has, or makes one up",
  local: "the flags --iface and --public-ip choose it",
  dev: "the flag --iface chooses it",
  peers: "they come from the store",
  remote: "flannel floods nothing",
  group: "flannel floods nothing",
};

/** @throws ConfigError where a file or the environment sets what the cluster decides */
export function refuseDecided({ origins, overlays }: AgentConfig): void {
  const problems: Problem[] = Object.entries(DECIDED).flatMap(([setting, hint]) => {
    const place = origins[setting as SettingName];
    const message = "a node of a flannel cluster cannot choose this";
    return place.source === "default" ? [] : [{ place, setting, message, hint }];
  });
  if (overlays.length > 1) {
    const place: Place = { source: "default" };
    const hint = "run `poplin agent` beside this one for other overlays, on another port";
    problems.push({ place, setting: "overlays", message: "a flannel node has one overlay", hint });
  }
  if (problems.length > 0) throw new ConfigError(problems);
}

/** One family's part of this node. */
export interface FamilyNode {
  readonly family: Family;
  /** That of all pods, a canonical CIDR. */
  readonly network: string;
  /** This node's subnet, a canonical CIDR. */
  readonly subnet: string;
  /** Our address on the uplink, that the dataplane sends from. */
  readonly local: string;
  readonly vtepMac: string;
}

/** The device's name: flannel's. */
export function deviceName(family: Family, vni: number): string {
  return family === 4 ? `flannel.${vni}` : `flannel-v6.${vni}`;
}

/**
 * @param base the dataplane's settings, checked by `refuseDecided`
 * @param peers of this family
 */
export function flannelConfig(
  base: AgentConfig,
  backend: VxlanBackend,
  node: FamilyNode,
  peers: readonly Lease[],
): AgentConfig {
  const { family, network, subnet, local, vtepMac } = node;
  const { vni, port, mtu, gbp, learning } = backend;
  const decided = {
    vni,
    port,
    device: deviceName(family, vni),
    // flannel's /32: whatever the kernel sends to a peer's subnet gets this source.
    address: [`${parseCidr(subnet).network}/${family === 4 ? 32 : 128}`],
    // What net-conf.json says is the underlay's MTU.
    mtu: mtu === null ? null : mtu - overlayOverhead(family),
    gbp: gbp ? GBP_ON : ("off" as const),
    learning,
    local,
    vtepMac,
    peers,
    family,
    networks: [network],
  };
  const origins = { ...base.origins };
  for (const setting of Object.keys(DECIDED) as SettingName[]) origins[setting] = CLUSTER;
  const overlay = { ...base.overlays[0], ...decided, origins };
  return { ...overlay, overlays: [overlay] };
}

const CLUSTER: Place = { source: "cluster", from: "the cluster" };
/** Groups are understood, and none is named. */
const GBP_ON = { group: 0, dontLearn: false, applied: false };
