/** VXLAN packets with one mistake each, and sound ones: what a judge of captures has to tell apart. */
import { fromHex, putU16, u16 } from "../../src/wire/bytes.ts";
import { fold, pseudoSumV4 } from "../../src/wire/checksum.ts";
import { encode } from "../../src/wire/encode.ts";
import { ICMP_ECHO } from "../../src/wire/icmp.ts";
import { ICMPV6_ECHO } from "../../src/wire/icmpv6.ts";
import { TCP } from "../../src/wire/tcp.ts";
import { VXLAN } from "../../src/wire/vxlan.ts";
import { concat, ethernet, ipv4, ipv6, NODE_A, NODE_B, udp, withL4Checksum } from "../wire/frames.ts";

const DATA = fromHex("000102030405060708090a0b0c0d0e0f");
/** Where an inner frame starts, where its IP header does, and the L4 header behind one of IPv4 or IPv6. */
const FRAME = 50;
const IP = FRAME + 14;
const L4 = IP + 20;
const L4_IN_IPV6 = IP + 40;
const OUTER_IP = 14;
const OUTER_UDP = OUTER_IP + 20;

function tunnelled(inner: Uint8Array): Uint8Array {
  const datagram = udp(concat(encode(VXLAN, { vni: 1 }), inner), { destinationPort: 8472 });
  return ethernet(
    0x0800,
    withL4Checksum(ipv4(17, datagram, { source: NODE_A, destination: NODE_B }), 20, 17, 6),
  );
}

const PORTS = { sourcePort: 40_000, destinationPort: 21_000 };
const TCP_SEGMENT = concat(encode(TCP, { ...PORTS, dataOffset: 5, ack: 1, window: 502 }), DATA);
const DATAGRAM = udp(DATA, PORTS);

const TCP4 = tunnelled(ethernet(0x0800, withL4Checksum(ipv4(6, TCP_SEGMENT), 20, 6, 16)));
const UDP4 = tunnelled(ethernet(0x0800, withL4Checksum(ipv4(17, DATAGRAM), 20, 17, 6)));
const ICMP4 = tunnelled(
  ethernet(0x0800, withL4Checksum(ipv4(1, concat(encode(ICMP_ECHO, {}), DATA)), 20, 1, 2)),
);
const TCP6 = tunnelled(ethernet(0x86dd, withL4Checksum(ipv6(6, TCP_SEGMENT), 40, 6, 16)));
const UDP6 = tunnelled(ethernet(0x86dd, withL4Checksum(ipv6(17, DATAGRAM), 40, 17, 6)));
const ICMP6 = tunnelled(
  ethernet(0x86dd, withL4Checksum(ipv6(58, concat(encode(ICMPV6_ECHO, {}), DATA)), 40, 58, 2)),
);

export const SOUND: readonly Uint8Array[] = [TCP4, UDP4, ICMP4, TCP6, UDP6, ICMP6];

/** One bit less, or more, in the 16 bits at `at`. */
function flipped(packet: Uint8Array, at: number): Uint8Array {
  const bytes = packet.slice();
  putU16(bytes, at, u16(bytes, at) ^ 0x0100);
  return bytes;
}

/** The inner checksum as a stack leaves it for an offload: the pseudo-header sum. */
function unfinished(packet: Uint8Array, protocol: number, at: number): Uint8Array {
  const bytes = packet.slice();
  putU16(bytes, at, fold(pseudoSumV4(bytes, IP, protocol, bytes.length - L4)));
  return repaired(bytes);
}

/** With the outer checksum right again, so that only the inner mistake is left. */
function repaired(packet: Uint8Array): Uint8Array {
  return concat(packet.subarray(0, 14), withL4Checksum(packet.subarray(14), 20, 17, 6));
}

function inner(packet: Uint8Array, at: number): Uint8Array {
  return repaired(flipped(packet, at));
}

/** The checksum of the inner TCP is 0, and written as 0xffff. */
const NEGATIVE_ZERO_PACKET: Uint8Array = (() => {
  const bytes = TCP4.slice();
  const last = bytes.length - 2;
  // What the checksum was goes into the payload: the sum of all words is then 0xffff without it.
  putU16(bytes, last, fold(u16(bytes, last) + u16(bytes, L4 + 16)));
  putU16(bytes, L4 + 16, 0xffff);
  return repaired(bytes);
})();

/** Each has the mistake that its name says and no other. */
export const PLANTED: Readonly<Record<string, Uint8Array>> = {
  "bad outer IPv4 checksum": flipped(UDP4, OUTER_IP + 10),
  "bad outer IPv4 checksum beside a TCP checksum of 0xffff": flipped(NEGATIVE_ZERO_PACKET, OUTER_IP + 10),
  "bad outer UDP checksum": flipped(TCP4, OUTER_UDP + 6),
  "bad inner IPv4 checksum": inner(TCP4, IP + 10),
  "bad inner TCP checksum": inner(TCP4, L4 + 16),
  "bad inner UDP checksum": inner(UDP4, L4 + 6),
  "bad inner ICMP checksum": inner(ICMP4, L4 + 2),
  "bad inner TCP checksum in IPv6": inner(TCP6, L4_IN_IPV6 + 16),
  "bad inner UDP checksum in IPv6": inner(UDP6, L4_IN_IPV6 + 6),
  "bad inner ICMPv6 checksum": inner(ICMP6, L4_IN_IPV6 + 2),
  "unfinished inner TCP checksum": unfinished(TCP4, 6, L4 + 16),
  "unfinished inner UDP checksum": unfinished(UDP4, 17, L4 + 6),
  "TCP checksum of 0xffff instead of 0": NEGATIVE_ZERO_PACKET,
  "inner TCP header cut short": tunnelled(ethernet(0x0800, ipv4(6, TCP_SEGMENT.subarray(0, 12)))),
};
