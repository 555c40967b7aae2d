/** A packet followed from hop to hop: what it is at each, what has changed since the one before, and why it went on there. */
import { type Difference, differences } from "./compare.ts";
import { type Explanation, explain } from "./explanation.ts";

/** Where a packet was seen. */
export interface Hop {
  /** The host: "pod-a", "node-a". */
  readonly host: string;
  /** The interface there: "eth0", "cni0", "flannel.1". */
  readonly device: string;
  /** Which way it was going, as the host sees it. */
  readonly direction: "in" | "out";
  /** What happens there, in a few words. */
  readonly what: string;
  /** The frame, from its Ethernet header on. */
  readonly bytes: Uint8Array;
  /** The interface's MTU. */
  readonly mtu: number;
  /** Nanoseconds since the first hop. */
  readonly time: number;
  /** The table rows that have sent it on from here: "route 10.244.2.0/24 via …", "FDB 3e:… dst …". */
  readonly because: readonly string[];
}

/** What a hop is, beside the one before. */
export interface Step {
  readonly hop: Hop;
  readonly explanation: Explanation;
  /** Whether it is another than at the hop before; the first is. */
  readonly isChanged: boolean;
  /** What has been put around the packet, or taken off it, since: bytes, 0 for neither. */
  readonly grown: number;
  /** Fields with other values; of the packet inside, where a tunnel began or ended. */
  readonly changes: readonly Difference[];
  /** Nanoseconds since the hop before. */
  readonly took: number;
  /** Bytes of the IP packet that the interface's MTU is about: the outermost. */
  readonly ipBytes: number;
}

export function steps(hops: readonly Hop[]): Step[] {
  return hops.map((hop, i) => {
    const before = hops[i - 1];
    const explanation = explain(hop.bytes);
    const grown = before === undefined ? 0 : hop.bytes.length - before.bytes.length;
    const changes = before === undefined ? [] : changesBetween(before.bytes, hop.bytes);
    const isChanged = before === undefined || grown !== 0 || changes.length > 0;
    return {
      ...{ hop, explanation, isChanged, grown, changes },
      took: before === undefined ? 0 : hop.time - before.time,
      ipBytes: hop.bytes.length - ETHERNET_BYTES,
    };
  });
}

const ETHERNET_BYTES = 14;

/** Where one has a tunnel and the other not, the packets inside are compared. */
function changesBetween(before: Uint8Array, after: Uint8Array): Difference[] {
  const [inBefore, inAfter] = [innerFrame(before), innerFrame(after)];
  if ((inBefore === null) === (inAfter === null)) return differences(explain(before), explain(after));
  return differences(explain(inBefore ?? before), explain(inAfter ?? after));
}

/** The frame in a tunnel; null where there is none. */
export function innerFrame(bytes: Uint8Array): Uint8Array | null {
  const inner = explain(bytes).parts.find(({ name, level }) => name === "ethernet" && level === 1);
  return inner === undefined ? null : bytes.subarray(inner.at);
}

/** Why a field of poplin's datagram is another one than in the kernel's, for the same frame. */
const REASONS: Readonly<Record<string, string>> = {
  "outer.ipv4.identification":
    "each socket counts its own packets; without fragments it means nothing (RFC 6864)",
  "outer.ipv4.headerChecksum": "it covers the fields above",
  "outer.ipv4.dontFragment":
    "a socket's setting (IP_MTU_DISCOVER); the kernel's VXLAN has `df unset`, unless told otherwise",
  "outer.ipv4.ttl": "a setting: `ttl`",
  "outer.ipv6.flowLabel": "a setting: `flowlabel`",
  "outer.udp.sourcePort":
    "both are a hash of the inner flow: the kernel's with a secret of its own, over ip_local_port_range, ours over 49152 to 65535",
  "outer.udp.checksum":
    "it covers the source port; one that is partial was seen before whatever finishes it, as on every virtual cable",
};

export interface TwinDifference extends Difference {
  readonly reason: string;
}

/** What is different in two datagrams that carry the same frame. */
export function twinDifferences(kernel: Uint8Array, poplin: Uint8Array): TwinDifference[] {
  return differences(explain(kernel), explain(poplin)).map((difference) => ({
    ...difference,
    reason: REASONS[difference.field.id] ?? "",
  }));
}
