/** Permanent neighbours of our device: what `ip neigh` prints, and the lines that change them. */
import type { HostStep, NeighbourRow } from "./rows.ts";

interface IpNeighbour {
  readonly dst?: string;
  readonly lladdr?: string;
  readonly state?: readonly string[];
}

/** The query for them, as a line of `ip -batch`. @param device null for those of all devices */
export function neighbourQuery(device: string | null): string {
  return `neigh show ${device === null ? "" : `dev ${device} `}nud permanent`;
}

/** @param json what the query printed, parsed */
export function parseNeighbours(json: readonly unknown[]): NeighbourRow[] {
  return (json as readonly IpNeighbour[]).flatMap(({ dst, lladdr, state }) =>
    dst !== undefined && lladdr !== undefined && state?.includes("PERMANENT")
      ? [{ address: dst, mac: lladdr }]
      : [],
  );
}

/** @returns the step as a line of `ip -batch`. */
export function neighbourLine(device: string, step: HostStep & { table: "neighbour" }): string {
  if (step.op === "del") return `neigh del ${step.address} dev ${device}`;
  return `neigh replace ${step.address} lladdr ${step.mac} nud permanent dev ${device}`;
}
