/**
 * Every setting of the agent, once: its name, where it can be given, how it is read, what it is when nobody gives it,
 * and whether a reload can change it. The file's keys, the flags, the environment's variables and the documentation
 * all come from this table.
 */

import type { Lease } from "../../control/lease.ts";
import { OFFLOAD_NAMES, type Offloads, usualOffloads } from "../../dataplane/offloads.ts";
import type { PortRange } from "../../io/linux/senders.ts";
import type { GroupPolicy } from "../../wire/vxlan.ts";
import { DEFAULT_SOCKET } from "../api/types.ts";
import {
  deviceAddress,
  deviceName,
  interfaceName,
  multicastGroup,
  socketPath,
  underlayAddress,
  vtepMac,
} from "./addresses.ts";
import { formatGroupPolicy, groupPolicy } from "./group-policy.ts";
import { neighbour } from "./neighbours.ts";
import { formatOffloads, type OffloadSwitch, offloadSwitch, switchOffloads } from "./offload.ts";
import { byteSize, oneOf, orAuto, portRange, type Reader, wholeNumber, wordOr, yesOrNo } from "./values.ts";

/** Every setting as it was given, or its default; null is "found out at start". */
export interface Settings {
  readonly vni: number;
  readonly device: string | null;
  readonly address: readonly string[];
  readonly mtu: number | null;
  readonly vtepMac: string | null;
  readonly local: string | null;
  readonly dev: string | null;
  readonly port: number;
  readonly underlay: "batch" | "dgram" | "raw";
  readonly remote: readonly string[];
  readonly group: string | null;
  readonly floodRate: number;
  readonly learning: boolean;
  readonly ageing: number;
  readonly maxaddress: number;
  readonly senderCheck: "strict" | "mac" | "off" | null;
  readonly reservedBits: "rfc" | "linux";
  readonly tos: "inherit" | number;
  readonly ttl: "auto" | "inherit" | number;
  readonly df: "unset" | "set" | "inherit";
  readonly udpChecksum: "computed" | "zero";
  readonly sourcePorts: "fixed" | PortRange;
  readonly receiveBuffer: number;
  readonly sendBuffer: number;
  readonly offload: Offloads;
  readonly queues: "auto" | number;
  readonly spin: "auto" | "off" | number;
  readonly flowlabel: number;
  readonly udp6zerocsumrx: boolean;
  readonly vlan: "pass" | "rfc";
  readonly gbp: "off" | GroupPolicy;
  readonly pmtu: "icmp" | "off";
  readonly pmtuProbe: "off" | number;
  readonly socket: string;
  readonly ephemeral: boolean;
  readonly logLevel: "error" | "warn" | "info" | "debug";
  readonly proxy: boolean;
  readonly proxyUnknown: "drop" | "forward";
  readonly neighbours: readonly string[];
  readonly l2miss: boolean;
  readonly l3miss: boolean;
  readonly peers: readonly Lease[];
}

export type SettingName = keyof Settings;

export interface Setting {
  readonly name: SettingName;
  /** "--sender-check"; null when it can only stand in the file. */
  readonly flag: string | null;
  /** What stands for the value in help, as "BYTES"; null for a flag without one. */
  readonly placeholder: string | null;
  /** "POPLIN_SENDER_CHECK"; null when it can only stand in the file. */
  readonly env: string | null;
  /**
   * `peers` is a list of maps with the fields of `PEER_FIELDS`; `list` takes one value or several; `words` takes several
   * as `name=value`, in the file also as one text or as a map.
   */
  readonly shape: "scalar" | "list" | "words" | "peers";
  /** Whether a flag or a variable may give several. */
  readonly severalValues: boolean;
  /** Reads the value; of several, one. */
  readonly read: Reader<unknown>;
  /** Makes the setting's value of what `read` made of each. */
  readonly gather: (values: readonly unknown[]) => unknown;
  /** The value for people, as `read` would take it. */
  readonly format: (value: unknown) => string;
  /** The value when nobody gives one. */
  readonly fallback: Settings[SettingName];
  /** The same for people. */
  readonly defaultText: string;
  /** A value as one would write it in the file. */
  readonly example: string;
  readonly description: string;
  /** `live`: a reload changes it while packets flow. `restart`: a reload that changes it is refused. */
  readonly reload: "live" | "restart";
}

/** What `read` makes of one value, where that is not the setting's own value. */
interface Parts {
  address: string;
  remote: string;
  neighbours: string;
  offload: OffloadSwitch;
  peers: never;
}

interface Row<N extends SettingName> {
  read: Reader<N extends keyof Parts ? Parts[N] : Settings[N]>;
  shape?: Setting["shape"];
  gather?: (values: readonly (N extends keyof Parts ? Parts[N] : Settings[N])[]) => Settings[N];
  format?: (value: Settings[N]) => string;
  fallback: Settings[N];
  defaultText?: string;
  example: string;
  description: string;
  reload: Setting["reload"];
  placeholder?: string | null;
}

const hops = wordOr("auto", wordOr("inherit", wholeNumber(1, 255)));
/** 0 is the kernel's word for its default. */
const ttl: typeof hops = (raw) => hops(String(raw).trim() === "0" ? "auto" : raw);
const BUFFER = byteSize(4096, 1023 * 2 ** 20);
const noScalar: Reader<never> = () => ({ ok: false, message: "not a list of peers", hint: "" });

const ROWS: { readonly [N in SettingName]: Row<N> } = {
  vni: {
    read: wholeNumber(0, 2 ** 24 - 1),
    fallback: 1,
    example: "1",
    placeholder: "NUMBER",
    description: "VXLAN network identifier; the same on all nodes. flannel's is 1.",
    reload: "restart",
  },
  device: {
    read: orAuto(deviceName),
    fallback: null,
    defaultText: "flannel.VNI",
    example: "flannel.1",
    placeholder: "NAME",
    description: "Name of the TAP device. A VXLAN device or TUN of this name is replaced.",
    reload: "restart",
  },
  address: {
    shape: "list",
    read: deviceAddress,
    gather: (addresses) => addresses,
    format: formatList,
    fallback: [],
    defaultText: "none: addresses of the device are left alone",
    example: "10.244.1.0/32",
    placeholder: "CIDR",
    description:
      "Address of the device, or a list of them, IPv4 or IPv6. flannel gives it the network address of the node's own subnet, as /32 or /128.",
    reload: "live",
  },
  mtu: {
    read: orAuto(wholeNumber(68, 65485)),
    fallback: null,
    defaultText: "the uplink's MTU less 50, or less 70 over IPv6",
    example: "1450",
    placeholder: "BYTES",
    description: "MTU of the overlay: the largest inner IP packet.",
    reload: "restart",
  },
  vtepMac: {
    read: orAuto(vtepMac),
    fallback: null,
    defaultText: "the one the device has, else a random one",
    example: '"0e:2a:00:00:00:01"',
    placeholder: "MAC",
    description: "MAC of our device. Peers must know it, so give it where they are configured by hand.",
    reload: "restart",
  },
  local: {
    read: orAuto(underlayAddress),
    fallback: null,
    defaultText: "the address from which the kernel would send to the first peer",
    example: "192.168.0.1",
    placeholder: "ADDRESS",
    description:
      "Our address in the underlay. Its family is the underlay's family, its interface the uplink that decides the MTU.",
    reload: "restart",
  },
  dev: {
    read: orAuto(interfaceName),
    fallback: null,
    defaultText: "the interface that has our address, or leads to the first peer",
    example: "eth0",
    placeholder: "NAME",
    description:
      "Interface that carries the underlay: what is sent leaves by it, a multicast group is joined on it, and its first address is ours where `local` names none.",
    reload: "restart",
  },
  port: {
    read: wholeNumber(1, 65535),
    fallback: 8472,
    example: "8472",
    placeholder: "NUMBER",
    description: "UDP port of VXLAN, here and, unless they say otherwise, at the peers. IANA's is 4789.",
    reload: "restart",
  },
  underlay: {
    read: oneOf(["batch", "dgram", "raw"]),
    fallback: "batch",
    example: "batch",
    placeholder: "KIND",
    description:
      "How datagrams move: `batch` (sendmmsg and recvmmsg), `dgram` (node:dgram, slower, no TOS) or `raw` (IPv4 headers of our own, through the raw-socket package).",
    reload: "restart",
  },
  remote: {
    shape: "list",
    read: underlayAddress,
    gather: (addresses) => [...new Set(addresses)],
    format: formatList,
    fallback: [],
    defaultText: "none: what has no row is dropped",
    example: "192.168.0.2",
    placeholder: "ADDRESS",
    description:
      "VTEPs that get a copy of every frame whose MAC has no row: broadcast, multicast and unknown unicast (head-end replication). Rows for 00:00:00:00:00:00 in `poplin fdb show`.",
    reload: "live",
  },
  group: {
    read: orAuto(multicastGroup),
    fallback: null,
    defaultText: "none",
    example: "239.1.1.1",
    placeholder: "ADDRESS",
    description:
      "Multicast group to which such frames are sent, once, and whose frames are heard: it is joined on the interface `dev`.",
    reload: "restart",
  },
  floodRate: {
    read: wholeNumber(0, 10_000_000),
    fallback: 0,
    defaultText: "0: any number",
    example: "10000",
    placeholder: "FRAMES",
    description: "Most frames in a second that go to several VTEPs or to a group; more are dropped.",
    reload: "live",
  },
  learning: {
    read: yesOrNo,
    fallback: false,
    example: "true",
    placeholder: null,
    description:
      "Learn from each frame that is let in where its source MAC lives. flannel's overlays do not; `poplin vtep` does unless told otherwise.",
    reload: "live",
  },
  ageing: {
    read: wholeNumber(0, 1_000_000),
    fallback: 300,
    example: "300",
    placeholder: "SECONDS",
    description: "Seconds after which a learned row goes when no frame comes from its MAC; 0: never.",
    reload: "live",
  },
  maxaddress: {
    read: wholeNumber(0, 2 ** 24),
    fallback: 65_536,
    example: "65536",
    placeholder: "ROWS",
    description:
      "Most rows that are learned; 0: any number, which is the kernel's default. A frame of a MAC that is not learned is let in all the same.",
    reload: "live",
  },
  senderCheck: {
    read: orAuto(oneOf(["strict", "mac", "off"])),
    fallback: null,
    defaultText: "strict; off with a multicast group, whose members are not known beforehand",
    example: "strict",
    placeholder: "MODE",
    description:
      "Whose datagrams are let in. `strict`: the source address is a peer's. `mac`: the inner source MAC is a peer's, from whatever address. `off`: anybody's. With `strict`, what is in `remote` is a peer, too. VXLAN has no authentication: use `off` only where nobody else can send.",
    reload: "live",
  },
  reservedBits: {
    read: oneOf(["rfc", "linux"]),
    fallback: "rfc",
    example: "rfc",
    placeholder: "MODE",
    description:
      "Reserved bits of the VXLAN header that are set: `rfc` ignores them (RFC 7348), `linux` drops the packet as the kernel does.",
    reload: "live",
  },
  tos: {
    read: wordOr("inherit", wholeNumber(0, 255)),
    fallback: 0,
    example: "inherit",
    placeholder: "TOS",
    description:
      "Outer TOS or traffic class: a byte whose ECN bits come from inside, or `inherit` for all of it.",
    reload: "live",
  },
  ttl: {
    read: ttl,
    fallback: "auto",
    defaultText: "auto: the kernel's default",
    example: "64",
    placeholder: "HOPS",
    description:
      "Outer TTL or hop limit: a number, `auto`, or `inherit` for that of the inner IP packet (the kernel's default where there is none). To a multicast group `auto` is 1.",
    reload: "restart",
  },
  df: {
    read: oneOf(["unset", "set", "inherit"]),
    fallback: "unset",
    example: "unset",
    placeholder: "MODE",
    description:
      "Don't-fragment bit of the outer IPv4 header. `inherit`: as the inner IPv4 header has it, set for IPv6 inside, unset for what has a VLAN tag; `batch` then has two sockets for each source port. The kernel's VXLAN leaves it unset.",
    reload: "restart",
  },
  udpChecksum: {
    read: oneOf(["computed", "zero"]),
    fallback: "computed",
    example: "computed",
    placeholder: "MODE",
    description:
      "Outer UDP checksum of what is sent. Over IPv6 zero is refused by whoever was not told to accept it (kernel VXLAN devices and poplin: `udp6zerocsumrx`).",
    reload: "restart",
  },
  sourcePorts: {
    read: wordOr("fixed", portRange(1024, 65535)),
    format: formatPorts,
    fallback: { first: 49152, last: 65535 },
    example: "49152-65535",
    placeholder: "FIRST-LAST",
    description:
      "UDP ports to send from, by the inner flow, so that routers and network cards spread flows over paths and queues; or `fixed`: the VXLAN port alone. `batch` takes 16 of them, `raw` all, `dgram` sends from the VXLAN port whatever this says.",
    reload: "restart",
  },
  receiveBuffer: {
    read: BUFFER,
    fallback: 8 * 2 ** 20,
    defaultText: "8MiB",
    example: "8MiB",
    placeholder: "SIZE",
    description: "Receive buffer of the UDP socket: how much a burst may hold before the kernel drops.",
    reload: "restart",
  },
  sendBuffer: {
    read: BUFFER,
    fallback: 8 * 2 ** 20,
    defaultText: "8MiB",
    example: "8MiB",
    placeholder: "SIZE",
    description: "Send buffer of the UDP socket.",
    reload: "restart",
  },
  offload: {
    shape: "words",
    read: offloadSwitch,
    gather: switchOffloads,
    format: formatOffloads,
    fallback: usualOffloads(),
    example: "tap-tso=off",
    placeholder: "NAME=off",
    description: `Switches for work that is done for many packets at once, each \`on\` or \`off\`: ${OFFLOAD_NAMES.join(", ")}; \`all=off\` stands for all of them, and what comes later refines it. All but hairpin are on unless switched off. Each is tried at start with a packet of its own and left out where the kernel cannot do it; \`poplin status\` says why.`,
    reload: "restart",
  },
  queues: {
    read: wordOr("auto", wholeNumber(1, 16)),
    fallback: "auto",
    defaultText: "auto: 1, from 4 CPUs on half as many as there are, at most 4",
    example: "auto",
    placeholder: "NUMBER",
    description:
      "Threads that move packets, each with a queue of the TAP and a socket of its own; a flow stays with one. `batch` only.",
    reload: "restart",
  },
  spin: {
    read: wordOr("auto", wordOr("off", wholeNumber(0, 1000))),
    fallback: "auto",
    example: "auto",
    placeholder: "MICROSECONDS",
    description:
      "How long a thread that has no packet looks for the next one before it sleeps: a sleep costs the next packet some 30 µs to wake from. `auto`: only where packets come in quick succession and nobody else wants the CPU. `off`: it sleeps at once. `batch` only.",
    reload: "restart",
  },
  flowlabel: {
    read: wholeNumber(0, 0xfffff),
    fallback: 0,
    example: "0",
    placeholder: "LABEL",
    description: "Flow label of the outer IPv6 header.",
    reload: "restart",
  },
  udp6zerocsumrx: {
    read: yesOrNo,
    fallback: false,
    example: "false",
    placeholder: null,
    description:
      "Accept datagrams with a zero UDP checksum over IPv6, as RFC 6935 allows for tunnels. Over IPv4 they always are. What the kernel refuses without it, it counts in `Udp6InCsumErrors` of /proc/net/snmp6, not for us.",
    reload: "restart",
  },
  vlan: {
    read: oneOf(["pass", "rfc"]),
    fallback: "pass",
    example: "pass",
    placeholder: "MODE",
    description:
      "VLAN tags of inner frames. `pass` leaves them alone, as Linux does. `rfc` sends frames without their tags and discards what comes in with one (RFC 7348 section 6.1).",
    reload: "live",
  },
  gbp: {
    read: groupPolicy,
    format: formatGroupPolicy,
    fallback: "off",
    example: "off",
    placeholder: "GROUP",
    description:
      "VXLAN Group Based Policy: the group that the header of all we send names, with the D and A bits where wanted, as `100` or `100,dontLearn,applied`; `on` names none, `off` knows nothing of it. The kernel takes the group from each packet's mark; a TAP carries none, so here it is one for the VNI. Received groups are let in, counted (`rxGbp`) and shown, and reach no packet's mark. All nodes need the same: a VTEP without it may drop what has one.",
    reload: "live",
  },
  proxy: {
    read: yesOrNo,
    fallback: false,
    example: "true",
    placeholder: null,
    description:
      "Answer ARP requests and neighbour solicitations from the overlay's side for the addresses that the table of neighbours knows (`poplin neigh show`), so that none crosses the underlay: the `proxy` of the kernel's VXLAN.",
    reload: "live",
  },
  proxyUnknown: {
    read: oneOf(["drop", "forward"]),
    fallback: "drop",
    example: "drop",
    placeholder: "MODE",
    description:
      "What becomes of those that `proxy` does not answer, and of ARP that asks for nothing. `drop`: they end here and are counted as NEIGH_MISS; the kernel drops them too. `forward`: they go their way like any frame.",
    reload: "live",
  },
  neighbours: {
    shape: "list",
    read: neighbour,
    gather: (neighbours) => neighbours,
    format: (neighbours) => (neighbours.length === 0 ? "none" : neighbours.join(", ")),
    fallback: [],
    defaultText: "none but those of the peers",
    example: "10.0.0.5 lladdr 02:00:00:00:00:05",
    placeholder: "NEIGHBOUR",
    description:
      "Addresses in the overlay with the MACs that `proxy` answers with, in the words of `ip neigh`. The first address of each peer's subnet is in the table without being named here.",
    reload: "live",
  },
  l2miss: {
    read: yesOrNo,
    fallback: false,
    example: "true",
    placeholder: null,
    description:
      "Tell whoever listens (`poplin events`) of unicast frames to a MAC without a row in the forwarding table.",
    reload: "live",
  },
  l3miss: {
    read: yesOrNo,
    fallback: false,
    example: "true",
    placeholder: null,
    description:
      "Tell whoever listens (`poplin events`) of addresses that were asked for and are not in the table of neighbours. Needs `proxy`.",
    reload: "live",
  },
  pmtu: {
    read: oneOf(["icmp", "off"]),
    fallback: "icmp",
    example: "icmp",
    placeholder: "MODE",
    description:
      "What becomes of an inner packet too long for the path to its peer, where that takes less than the overlay's MTU needs. `icmp`: its sender is told what fits, as by a router, unless the packet may be fragmented. `off`: it is sent; the underlay fragments it, or drops it.",
    reload: "live",
  },
  pmtuProbe: {
    read: wordOr("off", wholeNumber(1, 86_400)),
    fallback: 600,
    example: "600",
    placeholder: "SECONDS",
    description:
      "How often the path MTU to each peer is looked for, by pings with DF set, usually two. `off`: only what ICMP from the underlay tells the kernel is known; over IPv4 that is nothing unless `df: set`. For networks that drop long pings and nothing else.",
    reload: "live",
  },
  socket: {
    read: socketPath,
    fallback: DEFAULT_SOCKET,
    example: DEFAULT_SOCKET,
    placeholder: "PATH",
    description: "Unix socket of the API that `poplin status` and the other commands ask.",
    reload: "restart",
  },
  ephemeral: {
    read: yesOrNo,
    fallback: false,
    example: "false",
    placeholder: null,
    description: "Remove the device, and with it its addresses and rows, when the agent ends.",
    reload: "live",
  },
  logLevel: {
    read: oneOf(["error", "warn", "info", "debug"]),
    fallback: "info",
    example: "info",
    placeholder: "LEVEL",
    description: "How much is written to standard error.",
    reload: "live",
  },
  peers: {
    shape: "peers",
    read: noScalar,
    fallback: [],
    defaultText: "none",
    example: "",
    description: "The other nodes of the overlay.",
    reload: "live",
  },
};

function formatList(texts: readonly string[]): string {
  return texts.length === 0 ? "none" : texts.join(", ");
}

function formatPorts(ports: Settings["sourcePorts"]): string {
  return typeof ports === "string" ? ports : `${ports.first}-${ports.last}`;
}

/** What a value is called that the machine decides. */
function formatPlain(value: unknown): string {
  return value === null ? "auto" : String(value);
}

/** All settings, in the order in which they are documented. */
export const SETTINGS: readonly Setting[] = (Object.keys(ROWS) as SettingName[]).map((name) => {
  const row = ROWS[name];
  const shape = row.shape ?? "scalar";
  const inFileOnly = shape === "peers";
  const format = (row.format ?? formatPlain) as Setting["format"];
  const words = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return {
    name,
    flag: inFileOnly ? null : `--${words}`,
    placeholder: row.placeholder ?? null,
    env: inFileOnly ? null : `POPLIN_${words.toUpperCase().replaceAll("-", "_")}`,
    shape,
    severalValues: shape === "list" || shape === "words",
    read: row.read,
    gather: (row.gather as Setting["gather"] | undefined) ?? ((values) => values.at(-1)),
    format,
    fallback: row.fallback,
    defaultText: row.defaultText ?? format(row.fallback),
    example: row.example,
    description: row.description,
    reload: row.reload,
  };
});

/** @returns the setting of that name. */
export function settingOf(name: SettingName): Setting {
  return SETTINGS.find((setting) => setting.name === name)!;
}
