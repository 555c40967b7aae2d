/**
 * RFC 7348 section 6.1, where it is asked for (`vlan: rfc`): a frame with a VLAN tag is sent without it, and one that
 * comes in with a tag is discarded. Linux passes tags in both directions, and so do we unless told otherwise.
 */
import { u16 } from "../wire/bytes.ts";
import { ETHERTYPE_QINQ, ETHERTYPE_VLAN } from "../wire/numbers.ts";
import { ETHERNET_LENGTH, VLAN_LENGTH } from "../wire/views.ts";
import { VNET_LENGTH } from "./arena.ts";
import { LENGTH, OFFSET, type Ring } from "./ring.ts";
import { GSO_NONE, NEEDS_CSUM, shiftVnetHeader, VNET_FLAGS, VNET_GSO_TYPE } from "./vnet.ts";

/** Two MACs, which stand before a tag. */
const MACS = 12;

/** Whether the Ethernet frame at `at`, of at least 14 bytes, begins with a tag (802.1Q or 802.1ad). */
export function isTagged(bytes: Uint8Array, at: number): boolean {
  const type = u16(bytes, at + MACS);
  return type === ETHERTYPE_VLAN || type === ETHERTYPE_QINQ;
}

/**
 * Takes the tags out of the oldest frame of `filled`, one of the TAP's: vnet header and MACs move up to what follows the
 * tags, and the row says so. Nothing behind the tags is touched, a super-frame's payload neither.
 */
export function stripTags(filled: Ring): void {
  const { bytes, words } = filled;
  const row = filled.row(filled.tail);
  for (;;) {
    const vnet = words[row + OFFSET]!;
    const frame = vnet + VNET_LENGTH;
    const length = words[row + LENGTH]! - VNET_LENGTH;
    if (length < ETHERNET_LENGTH + VLAN_LENGTH || !isTagged(bytes, frame)) return;
    bytes.copyWithin(vnet + VLAN_LENGTH, vnet, frame + MACS);
    const moved = vnet + VLAN_LENGTH;
    const counted =
      (bytes[moved + VNET_FLAGS]! & NEEDS_CSUM) !== 0 || bytes[moved + VNET_GSO_TYPE] !== GSO_NONE;
    if (counted) shiftVnetHeader(bytes, moved, -VLAN_LENGTH);
    words[row + OFFSET] = moved;
    words[row + LENGTH] = length + VNET_LENGTH - VLAN_LENGTH;
  }
}
