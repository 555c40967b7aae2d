/**
 * Super-frames to try a TAP with: three segments behind one header, as `tcp-coalesce` and `udp-coalesce` make them.
 * They are for a MAC that nobody has (PACKET_OTHERHOST), from and to addresses of documentation (RFC 5737, RFC 3849):
 * the kernel takes them, and throws them away unseen.
 */
import { VNET_LENGTH } from "../../../dataplane/arena.ts";
import { GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM, writeVnetHeader } from "../../../dataplane/vnet.ts";
import { fromHex, putU16 } from "../../../wire/bytes.ts";
import { checksum, fold, pseudoSumV4, pseudoSumV6 } from "../../../wire/checksum.ts";
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../../../wire/numbers.ts";

const SEGMENT_BYTES = 100;
const PAYLOAD = 3 * SEGMENT_BYTES;
/** Where IP starts, after the Ethernet header. */
const IP = VNET_LENGTH + 14;
const UDP_LENGTH = 8;
const TCP_LENGTH = 20;

const MACS = "020000000002020000000001";
/** 192.0.2.1 → 192.0.2.2, id 1, TTL 64; total length and checksum are filled in. */
const IPV4 = `4500000000010000 40PP0000 c0000201 c0000202`;
/** 2001:db8::1 → 2001:db8::2, hop limit 64. */
const IPV6 = `600000000000PP40 20010db8000000000000000000000001 20010db8000000000000000000000002`;
/** Port 9 (discard) to port 9, ACK, window 65535. */
const TCP = "00090009 00000001 00000001 5010ffff 00000000";
const UDP = "00090009 00000000";

/** A frame behind its vnet header, by what it tries. */
export const SUPER_FRAMES = {
  "TCP over IPv4": make("0800", IPV4, PROTOCOL_TCP, TCP, GSO_TCPV4),
  "TCP over IPv6": make("86dd", IPV6, PROTOCOL_TCP, TCP, GSO_TCPV6),
  "UDP over IPv4": make("0800", IPV4, PROTOCOL_UDP, UDP, GSO_UDP_L4),
  "UDP over IPv6": make("86dd", IPV6, PROTOCOL_UDP, UDP, GSO_UDP_L4),
} as const;

function make(etherType: string, ip: string, protocol: number, l4: string, gsoType: number): Uint8Array {
  const headers = fromHex(
    `${MACS}${etherType}${ip}${l4}`.replaceAll(" ", "").replace("PP", protocol.toString(16).padStart(2, "0")),
  );
  const bytes = new Uint8Array(VNET_LENGTH + headers.length + PAYLOAD);
  bytes.set(headers, VNET_LENGTH);
  const l4Length = protocol === PROTOCOL_TCP ? TCP_LENGTH : UDP_LENGTH;
  const l4At = VNET_LENGTH + headers.length - l4Length;
  const csumOffset = protocol === PROTOCOL_TCP ? 16 : 6;
  if (protocol === PROTOCOL_UDP) putU16(bytes, l4At + 4, UDP_LENGTH + PAYLOAD);
  if (etherType === "0800") {
    putU16(bytes, IP + 2, bytes.length - IP);
    putU16(bytes, IP + 10, checksum(bytes, IP, l4At - IP));
  } else {
    putU16(bytes, IP + 4, l4Length + PAYLOAD);
  }
  const pseudo = etherType === "0800" ? pseudoSumV4 : pseudoSumV6;
  putU16(bytes, l4At + csumOffset, fold(pseudo(bytes, IP, protocol, l4Length + PAYLOAD)));
  const csumStart = l4At - VNET_LENGTH;
  writeVnetHeader(bytes, 0, NEEDS_CSUM, gsoType, headers.length, SEGMENT_BYTES, csumStart, csumOffset);
  return bytes;
}
