/**
 * How much of the underlay's MTU is left for the overlay (RFC 7348 section 4.3: a VTEP must not fragment, so size the
 * MTU instead). An inner IP packet of that size, with its Ethernet header, fills an outer IP packet exactly.
 */
import type { Family } from "./address.ts";

/** Inner Ethernet 14, VXLAN 8, UDP 8. The outer Ethernet header is not in the underlay's IP MTU. */
const INSIDE_IP = 14 + 8 + 8;

/** Bytes between the underlay's MTU and the overlay's: 50 over IPv4, 70 over IPv6. */
export function overlayOverhead(family: Family): number {
  return INSIDE_IP + (family === 4 ? 20 : 40);
}

/**
 * @param configured the overlay MTU somebody asked for, null for what fits
 * @returns the MTU to use, and a warning when packets of that size will be fragmented on the uplink
 */
export function overlayMtu(
  configured: number | null,
  uplinkMtu: number,
  family: Family,
): { mtu: number; warning: string | null } {
  const fits = uplinkMtu - overlayOverhead(family);
  if (configured === null) return { mtu: fits, warning: null };
  if (configured <= fits) return { mtu: configured, warning: null };
  return {
    mtu: configured,
    warning: `the overlay MTU is ${configured}, but only ${fits} fit the uplink's ${uplinkMtu}: larger packets are fragmented, and many networks drop fragments`,
  };
}
