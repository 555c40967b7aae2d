/**
 * How a node joins the network, in flanneld's order (its main.go): the network's configuration, our public addresses, our
 * MACs, our lease. What a store cannot do yet is waited for; what cannot be right ends the start.
 */
import type { Family } from "../../control/address.ts";
import { type FamilyConf, type NetConf, parseNetConf } from "../../control/flannel/net-conf.ts";
import {
  type LeaseAttributes,
  type NodeLease,
  type NodeSubnets,
  readVxlanData,
  subnetKey,
  vxlanData,
} from "../../control/flannel/node-lease.ts";
import { readLinks } from "../../host/link.ts";
import { randomMac } from "../../host/mac.ts";
import type { NodeAddress, PublicIp } from "../../host/public-ip.ts";
import { LeaseLost, type NodeHints, type Store, StoreError } from "../../stores/store.ts";
import type { Log } from "../log.ts";
import { deviceName, type FamilyNode } from "./config.ts";
import { patiently } from "./patience.ts";

export interface JoinParts {
  readonly store: Store;
  /** Finds out how this node is reached. @throws HostError */
  readonly reach: (conf: NetConf, hints: NodeHints) => Promise<PublicIp>;
  /** What this node had before. */
  readonly previous: NodeSubnets | null;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** A node of the network. */
export interface Joined {
  readonly conf: NetConf;
  readonly hints: NodeHints;
  readonly reach: PublicIp;
  readonly macs: Macs;
  readonly lease: NodeLease;
  /** IPv4 first. */
  readonly families: readonly [FamilyNode, ...FamilyNode[]];
}

/** @throws StoreError, HostError; Interrupted when we are told to end meanwhile */
export async function join(parts: JoinParts): Promise<Joined> {
  const { store, log, signal } = parts;
  const conf = await patiently(() => readNetConf(store, log), log, signal);
  const hints = await patiently(() => store.readHints(), log, signal);
  const reach = await parts.reach(conf, hints);
  const macs = await ownMacs(conf, hints);
  return acquire(parts, { conf, hints, reach, macs });
}

/**
 * Looks how this node is reached now.
 * @returns what it is then, with the lease as it was; null where nothing has changed
 * @throws HostError
 */
export async function reachAgain(parts: Pick<JoinParts, "reach">, joined: Joined): Promise<Joined | null> {
  const { conf, hints, lease, macs } = joined;
  const reach = await parts.reach(conf, hints);
  if (isSame(reach, joined.reach)) return null;
  return { ...joined, reach, families: familiesOf(conf, reach, lease, macs) };
}

/**
 * Publishes how this node is reached now.
 * @returns the lease
 * @throws StoreError; LeaseLost where the store has other subnets for us by now
 */
export async function publish(store: Store, { conf, reach, macs, lease }: Joined): Promise<NodeLease> {
  const attributes = attributesOf(conf, reach, macs);
  const after = await store.acquire({ conf, attributes, previous: lease.subnets });
  const [former, given] = [lease, after].map(({ subnets }) => subnetKey(subnets));
  if (given === former) return after;
  throw new LeaseLost(
    `our subnets ${former} are not to be had any more, ${store.name} gave us ${given}: pods need new addresses; restart`,
  );
}

/** The uplink's MTU does not matter to the others. */
function isSame(a: PublicIp, b: PublicIp): boolean {
  const words = ({ device, ipv4, ipv6 }: PublicIp): string => JSON.stringify([device, ipv4, ipv6]);
  return words(a) === words(b);
}

async function acquire(
  { store, log, signal, previous }: JoinParts,
  known: Pick<Joined, "conf" | "hints" | "reach" | "macs">,
): Promise<Joined> {
  const { conf, reach, macs } = known;
  const request = { conf, attributes: attributesOf(conf, reach, macs), previous };
  const lease = await patiently(() => store.acquire(request), log, signal);
  return { ...known, lease, families: familiesOf(conf, reach, lease, macs) };
}

/** @throws StoreError, passing: whoever corrects the configuration need not start us again */
async function readNetConf(store: Store, log: Log): Promise<NetConf> {
  const { conf, problems, warnings } = parseNetConf(await store.readNetConf(), store.subnets);
  for (const { message, remedy } of warnings) {
    log.error(`the network's configuration: ${message}; ${remedy}`);
  }
  if (conf !== null) return conf;
  const text = problems.map(({ message, remedy }) => `${message}; ${remedy}`).join("\n");
  throw new StoreError("STORE_BAD_CONFIG", `the network's configuration cannot be used: ${text}`, "", true);
}

/** MACs by family. */
export type Macs = Readonly<Record<Family, string>>;

/**
 * The MACs that the others know: those of the node's own entry; else those that our devices have, as a device of
 * flanneld's, too, has told its MAC around.
 */
async function ownMacs({ backend }: NetConf, { lease }: NodeHints): Promise<Macs> {
  const { vni } = backend;
  const names = { 4: deviceName(4, vni), 6: deviceName(6, vni) };
  const links = await readLinks(Object.values(names), {});
  const macOf = (family: Family, data: unknown): string => {
    const published = readVxlanData(data);
    return typeof published === "string" ? (links.get(names[family])?.mac ?? randomMac()) : published.vtepMac;
  };
  return {
    4: macOf(4, lease?.attributes.backendData),
    6: macOf(6, lease?.attributes.backendV6Data),
  };
}

function attributesOf({ backend, ipv4, ipv6 }: NetConf, reach: PublicIp, macs: Macs): LeaseAttributes {
  return {
    publicIp: reach.ipv4?.publicIp ?? null,
    publicIpv6: reach.ipv6?.publicIp ?? null,
    backendType: "vxlan",
    backendData: ipv4 === null ? null : vxlanData(backend.vni, macs[4]),
    backendV6Data: ipv6 === null ? null : vxlanData(backend.vni, macs[6]),
  };
}

function familiesOf(conf: NetConf, reach: PublicIp, { subnets }: NodeLease, macs: Macs): Joined["families"] {
  const part = (
    family: Family,
    of: FamilyConf | null,
    subnet: string | null,
    own: NodeAddress | null,
  ): FamilyNode[] => {
    if (of === null || subnet === null || own === null) return [];
    const network = `${of.network.network}/${of.network.prefix}`;
    return [{ family, network, subnet, local: own.address, vtepMac: macs[family] }];
  };
  const families = [
    ...part(4, conf.ipv4, subnets.ipv4, reach.ipv4),
    ...part(6, conf.ipv6, subnets.ipv6, reach.ipv6),
  ];
  const [first, ...more] = families;
  if (first === undefined)
    throw new StoreError("STORE_REFUSED", "the lease has no subnet of a family that is on");
  return [first, ...more];
}
