/**
 * How much of the underlay's MTU is left for the overlay (RFC 7348 section 4.3: a VTEP must not fragment, so size the
 * MTU instead). An inner IP packet of that size, with its Ethernet header, fills an outer IP packet exactly.
 */
import type { Family } from "./address.ts";

/** The largest overlay packet that fits a datagram: IPv4 counts to 65,535, outer headers included. lo has an MTU of 65,536. */
const LARGEST = 65_485;
/** The least MTU of IPv4 (RFC 791), and what the kernel takes for an Ethernet device (ETH_MIN_MTU). */
const LEAST = 68;

/** Inner Ethernet 14, VXLAN 8, UDP 8. The outer Ethernet header is not in the underlay's IP MTU. */
const INSIDE_IP = 14 + 8 + 8;

/** What the uplink leaves is too little for an overlay. */
export class OverlayMtuError extends Error {
  readonly code = "OVERLAY_MTU_TOO_SMALL";
  /** What to do about it. */
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.name = "OverlayMtuError";
    this.remedy = remedy;
  }
}

/** Bytes between the underlay's MTU and the overlay's: 50 over IPv4, 70 over IPv6. */
export function overlayOverhead(family: Family): number {
  return INSIDE_IP + (family === 4 ? 20 : 40);
}

/**
 * @param configured the overlay MTU somebody asked for, null for what fits
 * @param uplink the interface's name, for messages
 * @returns the MTU to use, and a warning when packets of that size will be fragmented on the uplink
 * @throws OverlayMtuError when nobody asked for one, and what fits is less than any IP packet may be
 */
export function overlayMtu(
  configured: number | null,
  uplinkMtu: number,
  family: Family,
  uplink = "",
): { mtu: number; warning: string | null } {
  const overhead = overlayOverhead(family);
  const fits = Math.min(uplinkMtu - overhead, LARGEST);
  if (configured === null && fits < LEAST) {
    const link = uplink === "" ? "the uplink" : `the uplink ${uplink}`;
    throw new OverlayMtuError(
      `${link} has an MTU of ${uplinkMtu}: VXLAN over IPv${family} takes ${overhead} of it, and an overlay needs ${LEAST}`,
      `raise it to ${LEAST + overhead} or more, name another uplink by its address with \`local\`, or set \`mtu\` and have larger packets fragmented`,
    );
  }
  if (configured === null) return { mtu: fits, warning: null };
  if (configured <= fits) return { mtu: configured, warning: null };
  return {
    mtu: configured,
    warning: `the overlay MTU is ${configured}, but only ${fits} fit the uplink's ${uplinkMtu}: larger packets are fragmented, and many networks drop fragments`,
  };
}
