/** VXLAN (RFC 7348), with the bits of the group policy extension (draft-smith-vxlan-group-policy-05). */
import { i32, putU32 } from "./bytes.ts";

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

/**
 * Whether a bit is set that RFC 7348 reserves: any but I among the flags, or one of the 24 + 8 after them. The RFC
 * says to ignore them; Linux drops the packet (`vxlan_rcv`), unless an extension that owns the bits is on.
 */
export function hasReservedBits(bytes: Uint8Array, at: number): boolean {
  return (i32(bytes, at) & ~(VXLAN_FLAG_I << 24)) !== 0 || bytes[at + 7] !== 0;
}
