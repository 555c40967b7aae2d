/**
 * The TAP's vnet header: what the kernel and we tell each other about a frame's checksum and segments.
 * `struct virtio_net_hdr_mrg_rxbuf`, `include/uapi/linux/virtio_net.h`; little-endian on every machine we run on
 * unless the TAP is told otherwise (TUNSETVNETLE), which is why bytes are written one by one.
 *
 *   0 flags · 1 gso_type · 2–3 hdr_len · 4–5 gso_size · 6–7 csum_start · 8–9 csum_offset · 10–11 num_buffers
 */

/** Flag: the checksum field holds the pseudo-header sum only; the rest is still to be added. */
export const NEEDS_CSUM = 1;
/** gso_type: one frame. */
export const GSO_NONE = 0;
/** gso_type: a TCP segment over IPv4 that is to be cut at `gso_size`. */
export const GSO_TCPV4 = 1;
/** gso_type: the same over IPv6. */
export const GSO_TCPV6 = 4;
/** gso_type: a UDP datagram that is to be cut into several (a UDP_SEGMENT send; kernel 6.2 and later). */
export const GSO_UDP_L4 = 5;
/** Added to a TCP gso_type when CWR is set: only the first segment keeps it (RFC 3168 section 6.1.2). */
export const GSO_ECN = 0x80;

/** Where the fields lie. */
export const VNET_FLAGS = 0;
export const VNET_GSO_TYPE = 1;
export const VNET_HEADER_LENGTH = 2;
export const VNET_GSO_SIZE = 4;
export const VNET_CSUM_START = 6;
export const VNET_CSUM_OFFSET = 8;
/** Ours, in place of num_buffers: where the inner IP header of a super-frame to send whole starts. */
export const VNET_INNER_L3 = 10;

/**
 * Writes a vnet header at `at`.
 * @param headerLength bytes of all headers of the frame, Ethernet to L4; 0 without GSO
 * @param gsoSize payload bytes per segment; 0 without GSO
 * @param csumStart where summing starts, from the frame's first byte: the L4 header
 * @param csumOffset where the checksum field lies, from there
 */
export function writeVnetHeader(
  bytes: Uint8Array,
  at: number,
  flags: number,
  gsoType: number,
  headerLength: number,
  gsoSize: number,
  csumStart: number,
  csumOffset: number,
): void {
  bytes[at] = flags;
  bytes[at + 1] = gsoType;
  putLe16(bytes, at + 2, headerLength);
  putLe16(bytes, at + 4, gsoSize);
  putLe16(bytes, at + VNET_CSUM_START, csumStart);
  putLe16(bytes, at + VNET_CSUM_OFFSET, csumOffset);
  putLe16(bytes, at + 10, 0);
}

/** The frame behind the vnet header at `at` has become `by` bytes longer before its L4 header (negative: shorter): what counts from its start. */
export function shiftVnetHeader(bytes: Uint8Array, at: number, by: number): void {
  const headers = le16(bytes, at + VNET_HEADER_LENGTH);
  putLe16(bytes, at + VNET_HEADER_LENGTH, Math.max(0, headers + by));
  putLe16(bytes, at + VNET_CSUM_START, Math.max(0, le16(bytes, at + VNET_CSUM_START) + by));
}

/** A little-endian 16-bit field of a vnet header. */
export function le16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

function putLe16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value & 0xff;
  bytes[at + 1] = value >>> 8;
}
