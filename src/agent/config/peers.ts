/**
 * The `peers` of a file: a list of maps, each read into a lease, with the place of every field for what is checked
 * later. A peer with a mistake is left out of the result; its mistakes are all reported.
 */
import type { Lease } from "../../control/lease.ts";
import { peerSubnet, underlayAddress, vtepMac } from "./addresses.ts";
import { scalarsOf, type Tree } from "./document.ts";
import { didYouMean, type Place, type Problem } from "./problems.ts";
import { wholeNumber } from "./values.ts";

/** Fields of one peer in the file. */
export const PEER_FIELDS = {
  publicIp: {
    read: underlayAddress,
    required: true,
    example: "192.168.0.2",
    description: "The peer's address in the underlay.",
  },
  vtepMac: {
    read: vtepMac,
    required: true,
    example: '"0e:2a:00:00:00:02"',
    description: "MAC of the peer's VXLAN device.",
  },
  subnet: {
    read: peerSubnet,
    required: true,
    example: "10.244.2.0/24",
    description: "CIDR behind the peer, or a list of them, IPv4 or IPv6.",
  },
  port: {
    read: wholeNumber(1, 65535),
    required: false,
    example: "8472",
    description: "UDP port of the peer's VTEP, where it is not ours.",
  },
} as const;

export type PeerField = keyof typeof PEER_FIELDS;

/** A lease whose port may still be the overlay's, with its places. */
export interface LocatedLease {
  readonly lease: Omit<Lease, "port"> & { readonly port: number | null };
  /** "peers[0]" */
  readonly name: string;
  readonly place: Place;
  readonly places: {
    readonly publicIp: Place;
    readonly vtepMac: Place;
    readonly subnets: readonly Place[];
  };
}

const FIELDS = Object.keys(PEER_FIELDS) as PeerField[];
const OTHER_NAMES: ReadonlyMap<string, PeerField> = new Map([
  ["subnets", "subnet"],
  ["mac", "vtepMac"],
  ["ip", "publicIp"],
  ["address", "publicIp"],
  ["endpoint", "publicIp"],
  ["dst", "publicIp"],
  ["remote", "publicIp"],
  ["allowedips", "subnet"],
  ["podcidr", "subnet"],
]);
const EXAMPLE = '- { publicIp: 192.168.0.2, vtepMac: "0e:2a:00:00:00:02", subnet: 10.244.2.0/24 }';

/** What one field holds: its values (several for subnets), with their places. */
type Fields = Map<PeerField, { values: unknown[]; places: Place[] }>;

/**
 * Reads the value of `peers`.
 * @param prefix what stands before each name in a message, as "overlays[1]."
 */
export function readPeers(tree: Tree, prefix = ""): { peers: LocatedLease[]; problems: Problem[] } {
  const problems: Problem[] = [];
  const peers: LocatedLease[] = [];
  if (tree.kind === "list") {
    tree.items.forEach((item, i) => {
      const peer = readPeer(item, `${prefix}peers[${i}]`, problems);
      if (peer !== null) peers.push(peer);
    });
  } else if (tree.kind === "map" || tree.raw !== null) {
    const message = "takes a list of peers";
    problems.push({
      place: tree.place,
      setting: `${prefix}peers`,
      message,
      hint: `write each as \`${EXAMPLE}\``,
    });
  }
  return { peers, problems };
}

function readPeer(tree: Tree, name: string, problems: Problem[]): LocatedLease | null {
  const before = problems.length;
  if (tree.kind !== "map") {
    const message = "a peer is a map of settings";
    problems.push({ place: tree.place, setting: name, message, hint: `write it as \`${EXAMPLE}\`` });
    return null;
  }
  const fields: Fields = new Map();
  for (const { key, keyPlace, value } of tree.entries) {
    const field = FIELDS.find((one) => one === key);
    const setting = `${name}.${key}`;
    if (field === undefined) {
      const other = OTHER_NAMES.get(key.toLowerCase().replace(/[-_]/g, ""));
      const hint = other ? `did you mean \`${other}\`?` : didYouMean(key, FIELDS);
      problems.push({ place: keyPlace, setting, message: "a peer has no such setting", hint });
    } else if (fields.has(field)) {
      problems.push({ place: keyPlace, setting, message: "is given twice", hint: "remove one of them" });
    } else {
      fields.set(field, readField(field, setting, value, problems));
    }
  }
  for (const field of FIELDS) {
    if (!PEER_FIELDS[field].required || fields.has(field)) continue;
    const hint = `add \`${field}: ${PEER_FIELDS[field].example}\``;
    problems.push({ place: tree.place, setting: name, message: `has no ${field}`, hint });
  }
  return problems.length > before ? null : lease(fields, name, tree.place);
}

function readField(field: PeerField, setting: string, tree: Tree, problems: Problem[]) {
  const { read, example } = PEER_FIELDS[field];
  const values: unknown[] = [];
  const places: Place[] = [];
  const items = scalarsOf(tree, field === "subnet");
  if (items === null || items.length === 0) {
    const message = field === "subnet" ? "takes a CIDR or a list of them" : "takes one value";
    problems.push({ place: tree.place, setting, message, hint: `write it as \`${field}: ${example}\`` });
  }
  for (const { raw, place } of items ?? []) {
    const reading =
      raw === null ? { ok: false as const, message: "has no value", hint: `as ${example}` } : read(raw);
    if (reading.ok) {
      values.push(reading.value);
      places.push(place);
    } else problems.push({ place, setting, message: reading.message, hint: reading.hint });
  }
  return { values, places };
}

function lease(fields: Fields, name: string, place: Place): LocatedLease {
  const first = <T>(field: PeerField): T => fields.get(field)!.values[0] as T;
  return {
    lease: {
      publicIp: first("publicIp"),
      vtepMac: first("vtepMac"),
      subnets: fields.get("subnet")!.values as string[],
      port: fields.has("port") ? first("port") : null,
    },
    name,
    place,
    places: {
      publicIp: fields.get("publicIp")!.places[0]!,
      vtepMac: fields.get("vtepMac")!.places[0]!,
      subnets: fields.get("subnet")!.places,
    },
  };
}
