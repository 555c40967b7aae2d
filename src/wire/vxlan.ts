/** VXLAN (RFC 7348), with the bits of the group policy extension (draft-smith-vxlan-group-policy-05). */
import { i32, putU32 } from "./bytes.ts";
import type { Field, HeaderTable } from "./field.ts";
import { reserved } from "./options.ts";

/** Bytes in a VXLAN header. */
export const VXLAN_LENGTH = 8;
export { VXLAN_PORT_IANA, VXLAN_PORT_LINUX } from "./numbers.ts";

/** Byte 0: the VNI is valid. Must be set, else the packet is dropped (RFC 7348 section 5). */
export const VXLAN_FLAG_I = 0x08;
/** Byte 0: bytes 2 and 3 hold a group policy id. */
export const VXLAN_FLAG_G = 0x80;
/** Byte 1, only with G: the receiver must not learn from this frame. */
export const VXLAN_GBP_D = 0x40;
/** Byte 1, only with G: the policy has been applied already. */
export const VXLAN_GBP_A = 0x08;
/** Largest VNI. */
export const VNI_MAX = 0xffffff;

/** Writes the eight bytes of the header: flags 0x08, reserved bits 0 (RFC 7348 section 5). */
export function writeVxlanHeader(bytes: Uint8Array, at: number, vni: number): void {
  putU32(bytes, at, VXLAN_FLAG_I << 24);
  putU32(bytes, at + 4, vni << 8);
}

/**
 * Writes both words of a header through a view of the bytes, each in one step: for the hot path.
 * @param flags the first word, as `vxlanFlags` makes it
 */
export function setVxlanHeader(view: DataView, at: number, flags: number, vni: number): void {
  view.setInt32(at, flags);
  view.setInt32(at + 4, vni << 8);
}

/** What a header with the G bit says. */
export interface GroupPolicy {
  /** Group policy id, 0 to 65535. */
  readonly group: number;
  /** D: the receiver must not learn from this frame. */
  readonly dontLearn: boolean;
  /** A: the policy has been applied already. */
  readonly applied: boolean;
}

/**
 * The first word of a header: flags and, where there is a group policy, that. A policy that says nothing leaves the G bit
 * clear, as the kernel does for a packet without a mark (`vxlan_build_gbp_hdr`).
 */
export function vxlanFlags(policy: GroupPolicy | null = null): number {
  const plain = VXLAN_FLAG_I << 24;
  if (policy === null) return plain;
  const bits = (policy.dontLearn ? VXLAN_GBP_D : 0) | (policy.applied ? VXLAN_GBP_A : 0);
  const said = (bits << 16) | policy.group;
  return said === 0 ? plain : plain | (VXLAN_FLAG_G << 24) | said;
}

/** The group policy of a header's first word, null without G. */
export function groupPolicyOf(flags: number): GroupPolicy | null {
  if ((flags & (VXLAN_FLAG_G << 24)) === 0) return null;
  return {
    group: flags & 0xffff,
    dontLearn: (flags & (VXLAN_GBP_D << 16)) !== 0,
    applied: (flags & (VXLAN_GBP_A << 16)) !== 0,
  };
}

/** As `writeVxlanHeader`, with a 16-bit group policy id: flags 0x88. */
export function writeVxlanGbpHeader(bytes: Uint8Array, at: number, vni: number, group: number): void {
  putU32(bytes, at, ((VXLAN_FLAG_I | VXLAN_FLAG_G) << 24) | group);
  putU32(bytes, at + 4, vni << 8);
}

/** @returns the 24-bit VNI, meaningful only where `hasVni`. */
export function readVni(bytes: Uint8Array, at: number): number {
  return i32(bytes, at + 4) >>> 8;
}

/** Whether the I flag is set. */
export function hasVni(bytes: Uint8Array, at: number): boolean {
  return (bytes[at]! & VXLAN_FLAG_I) !== 0;
}

/** Whether a group policy id is there (G), readable with `readGroup`. */
export function hasGroup(bytes: Uint8Array, at: number): boolean {
  return (bytes[at]! & VXLAN_FLAG_G) !== 0;
}

/** @returns the 16-bit group policy id, meaningful only where `hasGroup`. */
export function readGroup(bytes: Uint8Array, at: number): number {
  return (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** Whether the sender asks not to learn from this frame: D, which counts only with G. */
export function gbpDontLearn(bytes: Uint8Array, at: number): boolean {
  return hasGroup(bytes, at) && (bytes[at + 1]! & VXLAN_GBP_D) !== 0;
}

/**
 * Whether a bit is set that RFC 7348 reserves: any but I among the flags, or one of the 24 + 8 after them. The RFC
 * says to ignore them; Linux drops the packet (`vxlan_rcv`), unless an extension that owns the bits is on.
 */
export function hasReservedBits(bytes: Uint8Array, at: number): boolean {
  return (i32(bytes, at) & ~(VXLAN_FLAG_I << 24)) !== 0 || bytes[at + 7] !== 0;
}

/**
 * The same where the group policy extension owns its bits: G, and the 24 after the flags whatever they say
 * (VXLAN_GBP_USED_BITS in Linux).
 */
export function hasReservedBitsBesideGroup(bytes: Uint8Array, at: number): boolean {
  return (bytes[at]! & ~(VXLAN_FLAG_I | VXLAN_FLAG_G)) !== 0 || bytes[at + 7] !== 0;
}

const SOURCE = "RFC 7348 section 5";
const POLICY = "draft-smith-vxlan-group-policy-05 section 2; extends RFC 7348 section 5";

/** Reserved bits, of which the standard and Linux think differently. */
function unused(name: string, at: number, width: number, source: string): Field {
  const ifWrong = "RFC 7348 has the receiver ignore it. Linux drops the packet: VXLAN_INVALID_HDR.";
  return reserved(name, at, width, source, ifWrong);
}

const I: Field = {
  name: "i",
  title: "I",
  at: 4,
  width: 1,
  format: "flag",
  short: "the VNI is valid",
  meaning: "Set: the VNI below is valid. It must be.",
  why: "The flag byte leaves room for extensions; this is the one flag that every VXLAN packet has.",
  source: SOURCE,
  ifWrong: "The receiving VTEP drops the packet: VXLAN_INVALID_HDR in Linux.",
  usual: 1,
};

const VNI: Field = {
  name: "vni",
  title: "VNI",
  at: 32,
  width: 24,
  format: "decimal",
  short: "which overlay network",
  meaning: "VXLAN network identifier: the overlay this frame belongs to. 24 bits, 16 million networks.",
  why: "Tenants share one underlay and must not see each other's frames. 802.1Q's 12 bits are too few.",
  source: SOURCE,
  ifWrong:
    "The frame comes out in another overlay or, where there is none of that number, is dropped: VXLAN_VNI_NOT_FOUND.",
  usual: 1,
};

/** The header of RFC 7348. */
export const VXLAN: HeaderTable = {
  name: "vxlan",
  title: "VXLAN",
  kind: "header",
  length: VXLAN_LENGTH,
  fields: [
    unused("reserved1", 0, 4, SOURCE),
    I,
    unused("reserved2", 5, 3, SOURCE),
    unused("reserved3", 8, 24, SOURCE),
    VNI,
    unused("reserved4", 56, 8, SOURCE),
  ],
};

/** The header with the group policy extension, told from the other by its first bit. */
export const VXLAN_GBP: HeaderTable = {
  name: "vxlan-gbp",
  title: "VXLAN with group policy",
  kind: "header",
  length: VXLAN_LENGTH,
  fields: [
    {
      name: "g",
      title: "G",
      at: 0,
      width: 1,
      format: "flag",
      short: "a group id is there",
      meaning: "Set: the group policy id, D and A mean something.",
      why: "Reserved bits of the basic header get a meaning only by the sender's saying so.",
      source: POLICY,
      ifWrong: "Clear: the group is lost. Set towards a Linux VTEP without gbp: the packet is dropped.",
      usual: 1,
    },
    unused("reserved1", 1, 3, SOURCE),
    I,
    unused("reserved2", 5, 3, SOURCE),
    unused("reserved3", 8, 1, POLICY),
    {
      name: "d",
      title: "D",
      at: 9,
      width: 1,
      format: "flag",
      short: "do not learn",
      meaning: "Set: the receiving VTEP must not learn the inner source MAC from this frame.",
      why: "The sender knows that the frame's way says nothing about where its source is.",
      source: POLICY,
      ifWrong: "The receiver learns a wrong place for the source, or never learns the right one.",
    },
    unused("reserved4", 10, 2, POLICY),
    {
      name: "a",
      title: "A",
      at: 12,
      width: 1,
      format: "flag",
      short: "policy was applied",
      meaning: "Set: the policy has been applied already, and must not be applied again.",
      why: "Policy is enforced once, at whichever end knows both groups.",
      source: POLICY,
      ifWrong: "Set: a frame passes that should have been stopped. Clear: policy is applied twice.",
    },
    unused("reserved5", 13, 3, POLICY),
    {
      name: "group",
      title: "group policy id",
      at: 16,
      width: 16,
      format: "decimal",
      short: "group of the source",
      meaning: "The security group of the inner source; in Linux the packet's mark carries it.",
      why: "The receiving side can filter by who sent, without a list of addresses.",
      source: POLICY,
      ifWrong: "The filter takes the sender for somebody else.",
    },
    VNI,
    unused("reserved6", 56, 8, SOURCE),
  ],
};
