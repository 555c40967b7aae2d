/**
 * Why a packet was dropped: a closed set. Where the kernel's VXLAN has a word for it (`enum skb_drop_reason`,
 * `include/net/dropreason-core.h`, and `drivers/net/vxlan`), it is the kernel's; the others say so.
 */

/** Each reason, with what it means for whoever reads it in `poplin stats`. */
export const DROPS = {
  // underlay → overlay, in the order of the checks
  PKT_TOO_SMALL: "datagram shorter than a VXLAN header (8 bytes)",
  VXLAN_INVALID_HDR: "the I flag is clear (RFC 7348 section 5)",
  VXLAN_RESERVED_BITS:
    "a reserved bit is set and reservedBits is `linux` (the kernel counts it as VXLAN_INVALID_HDR)",
  VXLAN_VNI_NOT_FOUND: "no overlay here has this VNI",
  UNKNOWN_VTEP: "the sender is no VTEP that senderCheck lets in (ours)",
  INNER_TOO_SMALL: "the inner frame is shorter than an Ethernet header (14 bytes; ours)",
  INNER_VLAN: "the inner frame has a VLAN tag, and vlan is `rfc` (RFC 7348 section 6.1; ours)",
  LOCAL_MAC: "the inner source MAC is our own: a loop, or an impostor",
  MAC_INVALID_SOURCE: "the inner source MAC is a group's or all zeros: nothing can be learned from it",
  VXLAN_ENTRY_EXISTS: "the inner source MAC has a static FDB row with another VTEP",
  IP_TUNNEL_ECN: "the outer header says congestion (CE), the inner one cannot carry it (RFC 6040)",
  PKT_TOO_BIG:
    "frame larger than the overlay MTU, and no super-frame that could be cut; or too long for the path to its VTEP, and the sender was told so",
  INNER_CSUM: "super-frame with a wrong inner checksum (ours)",
  TAP_REFUSED: "the kernel refused the frame at the TAP: device down, or malformed (ours)",
  // overlay → underlay
  NO_TX_TARGET: "no FDB row for the inner destination MAC, and none to flood to",
  FLOOD_LIMIT: "more frames to be flooded than `floodRate` lets through (ours)",
  NEIGH_MISS:
    "proxy is on, and an ARP message or a neighbour solicitation was none that it could answer (ours; the kernel counts none)",
  FULL_RING: "the kernel dropped it: the TAP's queue was full, frames came faster than they could be sent",
  TAP_GSO:
    "the TAP handed over a super-frame that cannot be cut: none was asked for, not TCP or UDP, or its headers make no sense (ours)",
  UNDERLAY_REFUSED: "the underlay refused the datagram: no route, too large, or a firewall (ours)",
  // both
  SOCKET_RCVBUFF: "the kernel dropped it: our receive buffer was full",
} as const;

export type DropReason = keyof typeof DROPS;

/** The reasons in their order; a reason's number is its place here. */
export const DROP_REASONS = Object.keys(DROPS) as DropReason[];
