/** VXLAN packets with every pair of outer and inner ECN, as nobody but a router under load would make them. */
import { addressBytes } from "../../src/control/address.ts";
import { VNI } from "../../src/lab/node.ts";
import { type NodePlan, podAddress } from "../../src/lab/plan.ts";
import { hex } from "../../src/wire/bytes.ts";
import { encode } from "../../src/wire/encode.ts";
import { VXLAN } from "../../src/wire/vxlan.ts";
import { concat, ethernet, ipv4, ipv6, udp, withL4Checksum } from "../wire/frames.ts";
import { DATA_PORT, type Datagram, type Family } from "./pods.ts";

/** Inner UDP source port: under it the pod's server reports what arrived. */
export const PAIRS_PORT = 30_000;
/** DSCPs, which nothing should change. */
const OUTER_DSCP = 0x0a;
const INNER_DSCP = 0x12;
/** A pair is told by the bytes of UDP payload that it has. */
const FIRST_SIZE = 100;
const LAST_SIZE = 200;

/** ECN that arrives at the pod, by "outer,inner"; a pair that is dropped is not in it. */
export type Outcome = Readonly<Record<string, number>>;

/** All 16 pairs, then one packet without any marks: what has not arrived before it has been dropped. */
export function ecnPairs(from: NodePlan, to: NodePlan, inner: Family): { bytes: Uint8Array; tos: number }[] {
  const pairs = Array.from({ length: 16 }, (_, i) => ({
    bytes: packet(from, to, inner, i & 3, FIRST_SIZE + i),
    tos: (OUTER_DSCP << 2) | (i >> 2),
  }));
  return [...pairs, { bytes: packet(from, to, inner, 0, LAST_SIZE), tos: 0 }];
}

function packet(from: NodePlan, to: NodePlan, inner: Family, ecn: number, size: number): Uint8Array {
  const [source, destination] = [podAddress(from), podAddress(to)];
  const datagram = udp(new Uint8Array(size), { sourcePort: PAIRS_PORT, destinationPort: DATA_PORT });
  const marks = { dscp: INNER_DSCP, ecn };
  const ip =
    inner === 4
      ? withL4Checksum(
          ipv4(17, datagram, { ...marks, source: v4(source.v4), destination: v4(destination.v4) }),
          20,
          17,
          6,
        )
      : withL4Checksum(
          ipv6(17, datagram, { ...marks, source: v6(source.v6), destination: v6(destination.v6) }),
          40,
          17,
          6,
        );
  const link = { source: mac(from), destination: mac(to) };
  return concat(encode(VXLAN, { vni: VNI }), ethernet(inner === 4 ? 0x0800 : 0x86dd, ip, link));
}

/** What became of the pairs. @throws Error for a datagram that is none of them, or whose DSCP was changed */
export function outcome(arrived: readonly Datagram[]): Outcome {
  const pairs = arrived.filter(([size]) => size !== LAST_SIZE);
  return Object.fromEntries(
    pairs.map(([size, , tos]) => {
      const i = size - FIRST_SIZE;
      if (i < 0 || i > 15 || tos >> 2 !== INNER_DSCP)
        throw new Error(`${size} bytes with TOS ${tos} arrived`);
      return [`${i >> 2},${i & 3}`, tos & 3];
    }),
  );
}

/** RFC 6040 section 4.2, figure 4: a row for each outer ECN, a column for each inner one; null is a drop. */
const FIGURE_4 = [
  [0, 1, 2, 3],
  [0, 1, 1, 3],
  [0, 1, 2, 3],
  [null, 3, 3, 3],
] as const;

/** What RFC 6040 wants. */
export const RFC_6040: Outcome = table((outer, inner) => FIGURE_4[outer]![inner]!);
/** What a VTEP does that cannot see the outer header. */
export const UNSEEN: Outcome = table((_, inner) => inner);

function table(result: (outer: number, inner: number) => number | null): Outcome {
  const outcome: Record<string, number> = {};
  for (let i = 0; i < 16; i++) {
    const ecn = result(i >> 2, i & 3);
    if (ecn !== null) outcome[`${i >> 2},${i & 3}`] = ecn;
  }
  return outcome;
}

function v4(address: string): number {
  return Buffer.from(addressBytes(address)).readUInt32BE();
}

function v6(address: string): string {
  return hex(addressBytes(address));
}

function mac({ vtepMac }: NodePlan): number {
  return Number.parseInt(vtepMac.replaceAll(":", ""), 16);
}
