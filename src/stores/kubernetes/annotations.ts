/**
 * flannel's contract on a Kubernetes node (`pkg/subnet/kube/{annotations,kube}.go`): what a node publishes of itself
 * stands in annotations of its Node object, and its subnets in the object's podCIDRs. Pure.
 *
 *   flannel.alpha.coreos.com/kube-subnet-manager   "true"
 *                           /backend-type          "vxlan"
 *                           /backend-data          {"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}, byte for byte
 *                           /backend-v6-data       the same shape
 *                           /public-ip             "192.168.64.3"; and public-ipv6
 *   written by people:      /public-ip-overwrite   what is published instead; and public-ipv6-overwrite
 *                           /node-public-ip        taken for --public-ip; and node-public-ipv6
 *
 * Other things than flannel join by these annotations alone (load balancers do), so nothing else is asked of a node.
 */
import { type Family, familyOf, parseAddress, parseCidr } from "../../control/address.ts";
import type { LeaseAttributes, NodeLease, NodeSubnets } from "../../control/flannel/node-lease.ts";
import type { NodeHints } from "../store.ts";

export const DEFAULT_PREFIX = "flannel.alpha.coreos.com";

/** What a node publishes, in flannel's names. */
const PUBLISHED = {
  type: "backend-type",
  data: "backend-data",
  v6Data: "backend-v6-data",
  publicIp: "public-ip",
  publicIpv6: "public-ipv6",
  managed: "kube-subnet-manager",
} as const;

/** What people write. */
const WRITTEN = {
  overwrite: "public-ip-overwrite",
  v6Overwrite: "public-ipv6-overwrite",
  nodeIp: "node-public-ip",
  nodeIpv6: "node-public-ipv6",
} as const;

type Name = (typeof PUBLISHED)[keyof typeof PUBLISHED] | (typeof WRITTEN)[keyof typeof WRITTEN];

/** Characters of a value beyond which it is none of flannel's: the longest has some sixty. */
const MOST_CHARACTERS = 4096;
/** Characters of a broken value that are shown. */
const MOST_SHOWN = 60;

/** What we keep of a Node object, which as a whole has some 20 kB. */
export interface NodeFacts {
  readonly name: string;
  /** Annotations of our prefix, by what follows it; without one that is too long. */
  readonly annotations: ReadonlyMap<Name, string>;
  /** The first annotation that is too long to be read, and how long it is. */
  readonly tooLong: { readonly name: Name; readonly length: number } | null;
  /** `spec.podCIDRs`, or `spec.podCIDR` where there are none; as they were written. */
  readonly podCidrs: readonly string[];
}

/** Null removes it. */
export type AnnotationPatch = Readonly<Record<string, string | null>>;

/** Published annotations that have to change, by their short names. */
export type Difference = ReadonlyMap<Name, string | null>;

/** A prefix that Kubernetes would refuse. */
export class PrefixError extends Error {}

/** The annotations' names with their prefix. */
export class Annotations {
  readonly #prefix: string;

  /**
   * @param prefix "a" makes a/public-ip, "a/b" a/b-public-ip, and "a/b-" the same
   * @throws PrefixError
   */
  constructor(prefix: string = DEFAULT_PREFIX) {
    const slashes = prefix.split("/").length - 1;
    if (slashes > 1 || !/^[a-zA-Z0-9][-a-zA-Z0-9_./]*$/.test(prefix)) {
      throw new PrefixError(`"${prefix}" cannot begin the name of an annotation`);
    }
    if (slashes === 0) this.#prefix = `${prefix}/`;
    else this.#prefix = /[-/]$/.test(prefix) ? prefix : `${prefix}-`;
  }

  /** @returns an annotation's whole name */
  full(name: Name): string {
    return `${this.#prefix}${name}`;
  }

  /** Takes from a Node object what we need of it. @returns null where it is no Node */
  facts(node: unknown): NodeFacts | null {
    const { metadata, spec } = fieldsOf(node);
    const { name, annotations } = fieldsOf(metadata);
    if (typeof name !== "string" || name === "") return null;
    const values = fieldsOf(annotations);
    const known = new Map<Name, string>();
    let tooLong: NodeFacts["tooLong"] = null;
    for (const short of [...Object.values(PUBLISHED), ...Object.values(WRITTEN)]) {
      const value = values[this.full(short)];
      if (typeof value !== "string") continue;
      if (value.length <= MOST_CHARACTERS) known.set(short, value);
      else tooLong ??= { name: short, length: value.length };
    }
    return { name, annotations: known, tooLong, podCidrs: podCidrsOf(spec) };
  }

  /** @returns the keys and values of a patch */
  patch(difference: Difference): AnnotationPatch {
    return Object.fromEntries([...difference].map(([name, value]) => [this.full(name), value]));
  }

  /** @returns a patch that takes away all that we publish */
  removal(): AnnotationPatch {
    return Object.fromEntries(Object.values(PUBLISHED).map((name) => [this.full(name), null]));
  }
}

/** @returns whether flannel, or somebody in its place, says that the node takes part */
export function isManaged({ annotations }: NodeFacts): boolean {
  return annotations.get(PUBLISHED.managed) === "true";
}

/**
 * The lease that a node's annotations and podCIDRs make.
 * @returns the lease, or what is wrong with it, in one line
 */
export function leaseOf(node: NodeFacts): NodeLease | string {
  const { name, annotations, tooLong } = node;
  if (tooLong !== null) {
    return `its annotation ${tooLong.name} has ${tooLong.length} characters, and should have less than a hundred`;
  }
  try {
    const subnets = subnetsOf(node);
    if (subnets.ipv4 === null && subnets.ipv6 === null) {
      return "it has annotations of flannel's, but no podCIDR: see the controller-manager's --allocate-node-cidrs";
    }
    const attributes: LeaseAttributes = {
      publicIp: addressIn(annotations, PUBLISHED.publicIp, 4),
      publicIpv6: addressIn(annotations, PUBLISHED.publicIpv6, 6),
      backendType: annotations.get(PUBLISHED.type) ?? "",
      backendData: jsonIn(annotations, PUBLISHED.data),
      backendV6Data: jsonIn(annotations, PUBLISHED.v6Data),
    };
    return { key: name, subnets, attributes };
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * The first IPv4 and the first IPv6 podCIDR, canonical.
 * @throws Error saying what is wrong
 */
export function subnetsOf({ podCidrs }: NodeFacts): NodeSubnets {
  if (podCidrs.length > 2) throw new Error(`it has ${podCidrs.length} podCIDRs, and two is the most`);
  const cidrs = podCidrs.map((text) => {
    const { network, prefix } = parseCidr(text);
    return `${network}/${prefix}`;
  });
  const first = (family: Family): string | null => cidrs.find((cidr) => familyOf(cidr) === family) ?? null;
  return { ipv4: first(4), ipv6: first(6) };
}

/** @returns the public addresses that an administrator has set for this node */
export function hintsOf(facts: NodeFacts): NodeHints {
  const { annotations } = facts;
  const lease = annotations.size === 0 ? null : leaseOf(facts);
  return {
    publicIp: annotations.get(WRITTEN.nodeIp) || null,
    publicIpv6: annotations.get(WRITTEN.nodeIpv6) || null,
    lease: typeof lease === "string" ? null : lease,
  };
}

/**
 * What has to change in a node's annotations for it to say these attributes. flannel's own keys are set; those of a
 * family that is off now are removed, or others would go on sending to it; nobody else's are touched.
 * @returns nothing where all is said already
 * @throws Error where an overwrite is no address
 */
export function differenceOf(node: NodeFacts, attributes: LeaseAttributes): Difference {
  const { annotations } = node;
  const publicIp = addressIn(annotations, WRITTEN.overwrite, 4) ?? attributes.publicIp;
  const publicIpv6 = addressIn(annotations, WRITTEN.v6Overwrite, 6) ?? attributes.publicIpv6;
  const wanted: [Name, string | null][] = [
    [PUBLISHED.type, attributes.backendType],
    [PUBLISHED.data, textOf(attributes.backendData)],
    [PUBLISHED.publicIp, attributes.publicIp === null ? null : publicIp],
    [PUBLISHED.v6Data, textOf(attributes.backendV6Data)],
    [PUBLISHED.publicIpv6, attributes.publicIpv6 === null ? null : publicIpv6],
    [PUBLISHED.managed, "true"],
  ];
  const differs = (name: Name, value: string | null): boolean =>
    (annotations.get(name) ?? null) !== value || node.tooLong?.name === name;
  return new Map(wanted.filter(([name, value]) => differs(name, value)));
}

/** @returns the node as it is after a patch */
export function patched(node: NodeFacts, difference: Difference): NodeFacts {
  const annotations = new Map(node.annotations);
  for (const [name, value] of difference) {
    if (value === null) annotations.delete(name);
    else annotations.set(name, value);
  }
  return { ...node, annotations, tooLong: null };
}

function textOf(data: unknown): string | null {
  return data === null || data === undefined ? null : JSON.stringify(data);
}

function addressIn(annotations: NodeFacts["annotations"], name: Name, family: Family): string | null {
  const value = annotations.get(name) ?? "";
  if (value === "") return null;
  try {
    const address = parseAddress(value);
    if (familyOf(address) === family) return address;
  } catch {
    // Said below.
  }
  throw new Error(`its annotation ${name} is "${shown(value)}", and no IPv${family} address`);
}

function jsonIn(annotations: NodeFacts["annotations"], name: Name): unknown {
  const value = annotations.get(name) ?? "";
  if (value === "") return null;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    throw new Error(`its annotation ${name} is no JSON: ${shown(value)}`);
  }
}

function podCidrsOf(spec: unknown): string[] {
  const { podCIDRs, podCIDR } = fieldsOf(spec);
  const many = Array.isArray(podCIDRs) ? podCIDRs.filter((cidr) => typeof cidr === "string") : [];
  if (many.length > 0) return many;
  return typeof podCIDR === "string" && podCIDR !== "" ? [podCIDR] : [];
}

function shown(value: string): string {
  return value.length > MOST_SHOWN ? `${value.slice(0, MOST_SHOWN)}…` : value;
}

/** @returns the fields of a JSON object; none of anything else */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
