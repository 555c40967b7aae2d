/**
 * Work that one side of a port does for many packets at once, or leaves to the other: each has a name, a switch
 * (`offload`), a probe at start, and a place in `poplin status`. With all of them off every packet is whole, finished
 * and alone: slower, and the same on the wire.
 */

/** Each offload, with what it does when it is on. */
export const OFFLOADS = {
  // overlay → underlay
  "tap-csum": "frames from the TAP come with unfinished checksums, which we complete (TUN_F_CSUM)",
  "tap-tso": "TCP comes from the TAP in super-frames of up to 64 KB, which we cut (TUN_F_TSO4, TUN_F_TSO6)",
  "tap-uso": "so does UDP of senders that use UDP_SEGMENT (TUN_F_USO4, TUN_F_USO6)",
  "udp-gso": "datagrams of one length to one VTEP leave in one send (UDP_SEGMENT)",
  hairpin:
    "TCP super-frames leave uncut, through a second TAP and IP forwarding (TUN_F_UDP_TUNNEL_GSO; off unless asked for)",
  // underlay → overlay
  "udp-gro": "datagrams of one sender arrive in one receive (UDP_GRO)",
  "tcp-coalesce": "consecutive TCP segments go to the TAP as one super-frame, their checksums verified",
  "udp-coalesce": "so do consecutive UDP datagrams of one flow and length",
} as const;

export type OffloadName = keyof typeof OFFLOADS;

/** The names in their order. */
export const OFFLOAD_NAMES = Object.keys(OFFLOADS) as OffloadName[];

/** Which are on. */
export type Offloads = Readonly<Record<OffloadName, boolean>>;

/** Why an offload is not in use that somebody has switched off, or that nobody has asked for. */
export const SWITCHED_OFF = "switched off";

/** Why an offload is not in use, in words; null for one that is. */
export type OffloadReport = Readonly<Record<OffloadName, string | null>>;

/** What is on where nobody says otherwise: all that needs nothing of the host but its kernel. */
export function usualOffloads(): Offloads {
  return { ...everyOffload(true), hairpin: false };
}

/** All on, or all off. */
export function everyOffload(on: boolean): Offloads {
  return Object.fromEntries(OFFLOAD_NAMES.map((name) => [name, on])) as Record<OffloadName, boolean>;
}
