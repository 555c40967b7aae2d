/** How much room a tunnel takes, for whoever has to choose an MTU. */
import {
  ETHERNET_LENGTH,
  IPV4_LENGTH,
  IPV6_LENGTH,
  UDP_LENGTH,
  VLAN_LENGTH,
  VXLAN_LENGTH,
} from "../wire/index.ts";

export interface TunnelOptions {
  /** The underlay's MTU: its largest IP packet, in bytes. */
  readonly underlayMtu: number;
  /** Of the outer header. */
  readonly underlay: 4 | 6;
  /** Of what is carried. */
  readonly overlay: 4 | 6;
  /** Whether the inner frame has a VLAN tag. */
  readonly vlan: boolean;
  /** Whether TCP inside uses timestamps, as Linux does: 12 bytes of options in each segment. */
  readonly timestamps: boolean;
}

export interface Overhead {
  /** What is taken from the underlay's MTU, from the outside. */
  readonly taken: readonly { readonly name: string; readonly bytes: number }[];
  /** All of it. */
  readonly bytes: number;
  /** The largest IP packet that the overlay can carry. */
  readonly overlayMtu: number;
  /** The largest TCP payload in it. */
  readonly mss: number;
  /** What is on the wire of a full packet, the outer Ethernet header included. */
  readonly onWire: number;
}

const TCP_BYTES = 20;
/** RFC 7323 section 3.2: ten bytes, and two of filling. */
const TIMESTAMPS_BYTES = 12;

function ipBytes(family: 4 | 6): number {
  return family === 4 ? IPV4_LENGTH : IPV6_LENGTH;
}

export function overheadOf({ underlayMtu, underlay, overlay, vlan, timestamps }: TunnelOptions): Overhead {
  const taken = [
    { name: `outer IPv${underlay}`, bytes: ipBytes(underlay) },
    { name: "UDP", bytes: UDP_LENGTH },
    { name: "VXLAN", bytes: VXLAN_LENGTH },
    { name: "inner Ethernet", bytes: ETHERNET_LENGTH },
    ...(vlan ? [{ name: "inner VLAN tag", bytes: VLAN_LENGTH }] : []),
  ];
  const bytes = taken.reduce((sum, one) => sum + one.bytes, 0);
  const overlayMtu = Math.max(0, underlayMtu - bytes);
  const mss = Math.max(0, overlayMtu - ipBytes(overlay) - TCP_BYTES - (timestamps ? TIMESTAMPS_BYTES : 0));
  return { taken, bytes, overlayMtu, mss, onWire: underlayMtu + ETHERNET_LENGTH };
}
