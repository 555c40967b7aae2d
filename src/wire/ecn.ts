/**
 * Congestion marks through a tunnel. Routers of the underlay mark the outer header; the two ends of the inner flow
 * look at the inner one only. So encap copies the inner ECN field outwards and decap carries a mark inwards.
 */
import { putU16, u16 } from "./bytes.ts";
import { updateChecksum } from "./checksum.ts";

/** The ECN field, the low two bits of TOS or traffic class (RFC 3168 section 5). */
export const ECN_MASK = 3;
/** Not ECN-capable transport: a router must drop this packet instead of marking it. */
export const NOT_ECT = 0;
export const ECT_1 = 1;
export const ECT_0 = 2;
/** Congestion experienced: the mark. */
export const CE = 3;

/** From `decapEcn`: the packet must be dropped. */
export const ECN_DROP = -1;

/**
 * The outer TOS on encap, as Linux does it (`INET_ECN_encapsulate`, RFC 3168 section 9.1.1): the DSCP of `outerTos`
 * with the inner ECN field, but ECT(0) where the inner one says CE. A mark from before the tunnel stays inside it.
 */
export function encapTos(outerTos: number, innerTos: number): number {
  const inner = innerTos & ECN_MASK;
  return (outerTos & ~ECN_MASK) | (inner === CE ? ECT_0 : inner);
}

/** The outer TOS on encap in the normal mode of RFC 6040 section 4.1: the inner ECN field is copied, CE too. */
export function encapTosNormal(outerTos: number, innerTos: number): number {
  return (outerTos & ~ECN_MASK) | (innerTos & ECN_MASK);
}

/**
 * The inner ECN field after decap: RFC 6040 section 4.2, figure 4; `__INET_ECN_decapsulate` in Linux.
 * @param outer TOS or ECN field of the outer header
 * @param inner TOS or ECN field of the inner header
 * @returns 0 to 3, or `ECN_DROP` where the mark cannot be passed on to a flow that does not understand it
 */
export function decapEcn(outer: number, inner: number): number {
  const outerEcn = outer & ECN_MASK;
  const innerEcn = inner & ECN_MASK;
  if (innerEcn === NOT_ECT) return outerEcn === CE ? ECN_DROP : NOT_ECT;
  if (outerEcn === CE) return CE;
  return innerEcn === ECT_0 && outerEcn === ECT_1 ? ECT_1 : innerEcn;
}

/**
 * Writes the ECN field of the IP packet at `ipAt`. An IPv4 header checksum is updated by the difference, so a wrong
 * one stays wrong; IPv6 has none, and no transport checksum covers this field.
 */
export function setEcn(bytes: Uint8Array, ipAt: number, ecn: number): void {
  const from = u16(bytes, ipAt);
  if (from >>> 12 === 4) {
    const to = (from & ~ECN_MASK) | ecn;
    if (to === from) return;
    putU16(bytes, ipAt, to);
    putU16(bytes, ipAt + 10, updateChecksum(u16(bytes, ipAt + 10), from, to));
  } else {
    // version (4 bits), traffic class (8), flow label (20): the ECN field is bits 10 and 11
    putU16(bytes, ipAt, (from & ~(ECN_MASK << 4)) | (ecn << 4));
  }
}
