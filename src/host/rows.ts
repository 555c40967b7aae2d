/**
 * What this house puts into the kernel's tables: rows of three kinds, of our own device but for direct routes, and the
 * steps that change them. The control side plans with types of the same shape (`control/rows.ts`); neither imports the other.
 */

/** A permanent neighbour: who has which MAC, so that nobody has to ask (ARP, ND). */
export interface NeighbourRow {
  readonly address: string;
  readonly mac: string;
}

/** A route to a peer's subnet. */
export interface RouteRow {
  /** "10.244.2.0/24": canonical, always with its prefix length. */
  readonly subnet: string;
  readonly via: string;
  /** The uplink, of a direct route. Left out: our device, onlink via an address that no route leads to. */
  readonly dev?: string;
}

/** `add` leaves alone what another device has there; `replace` takes the place of one that is ours. */
export type HostStep =
  | ({ readonly table: "neighbour"; readonly op: "replace" | "del" } & NeighbourRow)
  | ({ readonly table: "route"; readonly op: "add" | "replace" | "del" } & RouteRow)
  | { readonly table: "address"; readonly op: "replace" | "del"; readonly cidr: string };
