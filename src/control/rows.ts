/**
 * The rows that make a peer reachable, and the steps that change them. flannel needs three kinds for each peer
 * (`pkg/backend/vxlan/vxlan_network.go`): a neighbour tells the kernel the peer's MAC, so that no ARP or ND crosses
 * the overlay; the FDB tells the VTEP where that MAC lives; a route leads the peer's subnet into the device.
 *
 * Neighbours, routes and addresses belong to the kernel, and `host/` has types of the same shape for them; the FDB is
 * the dataplane's. All text is canonical (`address.ts`).
 */
import type { FdbChange } from "../dataplane/options.ts";

/** A permanent neighbour on our device. */
export interface NeighbourRow {
  readonly address: string;
  readonly mac: string;
}

/** A route to a peer's subnet, in table main with protocol boot. */
export interface RouteRow {
  readonly subnet: string;
  readonly via: string;
  /** The uplink, of a direct route; left out: our device, onlink. */
  readonly dev?: string;
}

/** Where frames for a MAC are sent. */
export interface FdbTarget {
  readonly mac: string;
  readonly dst: string;
  readonly port: number;
}

type Op = "replace" | "del";

/**
 * A step for the kernel. A route is added where there is none of ours to its subnet: then one that somebody else has
 * there stays. One of ours is replaced in one step, so that the subnet is never without.
 */
export type HostStep =
  | ({ readonly table: "neighbour"; readonly op: Op } & NeighbourRow)
  | ({ readonly table: "route"; readonly op: Op | "add" } & RouteRow)
  | { readonly table: "address"; readonly op: Op; readonly cidr: string };

/** A step for the dataplane. */
export type FdbStep = { readonly table: "fdb"; readonly op: Op } & FdbTarget;

export type Step = HostStep | FdbStep;

/** @returns the step as the dataplane's control messages say it. */
export function toFdbChange(step: FdbStep): FdbChange {
  if (step.op === "del") return { op: "del", mac: step.mac };
  return { op: "replace", mac: step.mac, dst: step.dst, port: step.port };
}

/** @returns the step in the words of iproute2, without our device: for logs and messages. */
export function describeStep(step: Step): string {
  switch (step.table) {
    case "neighbour":
      return `neigh ${step.op} ${step.address} lladdr ${step.mac}`;
    case "route":
      return `route ${step.op} ${step.subnet} via ${step.via}${step.dev === undefined ? "" : ` dev ${step.dev}`}`;
    case "address":
      return `addr ${step.op} ${step.cidr}`;
    case "fdb":
      return `fdb ${step.op} ${step.mac} dst ${step.dst} port ${step.port}`;
  }
}
