/** Frames for the dataplane's tests, built byte by byte: no code of the dataplane's own is used to make them. */

export const MAC_A = "02:00:00:00:00:0a";
export const MAC_B = "02:00:00:00:00:0b";

export function mac(text: string): number[] {
  return text.split(":").map((part) => Number.parseInt(part, 16));
}

export function ones(bytes: ArrayLike<number>, initial = 0): number {
  let sum = initial;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum;
}

export interface FrameOptions {
  dst?: string;
  src?: string;
  /** 802.1Q VLAN id. */
  vlan?: number;
  version?: 4 | 6;
  tos?: number;
  protocol?: "tcp" | "udp" | "icmp";
  sourcePort?: number;
  destinationPort?: number;
  tcpFlags?: number;
  /** Bytes of TCP options, NOPs. */
  tcpOptions?: number;
  payload?: number;
  /** `full`, `partial` (pseudo-header sum only), `bad`, or `none` (0). */
  checksum?: "full" | "partial" | "bad" | "none";
}

const PROTOCOLS = { tcp: 6, udp: 17, icmp: 1 } as const;
const CSUM_AT = { tcp: 16, udp: 6, icmp: 2 } as const;

/** An Ethernet frame that carries IP. */
export function frame(options: FrameOptions = {}): Uint8Array {
  const { version = 4, vlan, dst = MAC_B, src = MAC_A } = options;
  const type = version === 4 ? [0x08, 0x00] : [0x86, 0xdd];
  const tag = vlan === undefined ? [] : [0x81, 0x00, vlan >> 8, vlan & 0xff];
  return Uint8Array.from([...mac(dst), ...mac(src), ...tag, ...type, ...ipPacket(options)]);
}

function ipPacket(options: FrameOptions): number[] {
  const { version = 4, tos = 0, protocol = "udp" } = options;
  const number = PROTOCOLS[protocol];
  const l4 = segment(options);
  const source = version === 4 ? [10, 244, 1, 2] : [0xfd, 0, ...new Array(13).fill(0), 1];
  const target = version === 4 ? [10, 244, 2, 5] : [0xfd, 0, ...new Array(13).fill(0), 2];
  const pseudo = ones([...source, ...target], number + l4.length);
  const at = CSUM_AT[protocol];
  const sum = ones(l4, protocol === "icmp" ? 0 : pseudo);
  const { checksum = "full" } = options;
  const full = protocol === "udp" ? ~sum & 0xffff || 0xffff : ~sum & 0xffff; // RFC 768: UDP alone knows no 0
  const value = { full, partial: pseudo, bad: full ^ 0x5555, none: 0 }[checksum];
  l4[at] = value >> 8;
  l4[at + 1] = value & 0xff;
  if (version === 6) {
    const first = [0x60 | (tos >> 4), (tos & 15) << 4, 0, 0];
    return [...first, l4.length >> 8, l4.length & 0xff, number, 64, ...source, ...target, ...l4];
  }
  const total = 20 + l4.length;
  const header = [0x45, tos, total >> 8, total & 0xff, 0, 1, 0x40, 0, 64, number, 0, 0, ...source, ...target];
  const headerSum = ~ones(header) & 0xffff;
  header[10] = headerSum >> 8;
  header[11] = headerSum & 0xff;
  return [...header, ...l4];
}

function segment(options: FrameOptions): number[] {
  const {
    protocol = "udp",
    sourcePort = 40000,
    destinationPort = 5201,
    payload = 100,
    tcpOptions = 0,
  } = options;
  const data = Array.from({ length: payload }, (_, i) => (i * 7) & 0xff);
  const ports = [sourcePort >> 8, sourcePort & 0xff, destinationPort >> 8, destinationPort & 0xff];
  if (protocol === "udp") return [...ports, (8 + payload) >> 8, (8 + payload) & 0xff, 0, 0, ...data];
  if (protocol === "icmp") return [8, 0, 0, 0, 0, 1, 0, 1, ...data];
  const length = 20 + tcpOptions;
  const flags = options.tcpFlags ?? 0x10;
  const header = [...ports, 0, 0, 0, 1, 0, 0, 0, 1, (length / 4) << 4, flags, 0xff, 0xff, 0, 0, 0, 0];
  return [...header, ...new Array(tcpOptions).fill(1), ...data];
}

/** A VXLAN header in front of a frame: the UDP payload. */
export function vxlan(inner: Uint8Array, vni = 1, flags = 0x08): Uint8Array {
  return Uint8Array.from([flags, 0, 0, 0, vni >> 16, (vni >> 8) & 0xff, vni & 0xff, 0, ...inner]);
}

/** Whether the IP header and the TCP, UDP or ICMP checksum of a frame (without VLAN tag) are right. */
export function checksumsRight(bytes: Uint8Array): boolean {
  const version = bytes[14]! >> 4;
  const ip = bytes.subarray(14);
  const headerLength = version === 4 ? 20 : 40;
  const protocol = version === 4 ? ip[9]! : ip[6]!;
  const addresses = version === 4 ? ip.subarray(12, 20) : ip.subarray(8, 40);
  const l4 = ip.subarray(headerLength);
  const pseudo = protocol === 1 ? 0 : ones(addresses, protocol + l4.length);
  const headerRight = version === 6 || ones(ip.subarray(0, 20)) === 0xffff;
  return headerRight && ones(l4, pseudo) === 0xffff;
}
