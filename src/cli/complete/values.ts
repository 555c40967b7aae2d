/** What can stand in the place of a value: names and addresses of the running agent and of this node, and words. */
import { readdirSync } from "node:fs";
import type { ApiClient } from "../../agent/api/client.ts";
import { DROP_REASONS, DROPS } from "../../dataplane/drops.ts";

/** A word, with what it is. */
export type Value = readonly [word: string, about: string];

/** Kinds of values that the agent, the kernel or poplin itself knows. */
export type Kind = "device" | "vni" | "mac" | "vtep" | "neighbour" | "interface" | "reason";

/** @returns the values of a kind; none where nobody answers. Who presses TAB wants no error. */
export async function valuesOf(kind: Kind, client: ApiClient): Promise<readonly Value[]> {
  try {
    return distinct(await LOOK_UP[kind](client));
  } catch {
    return [];
  }
}

const LOOK_UP: Readonly<Record<Kind, (client: ApiClient) => Promise<readonly Value[]>>> = {
  device: async (client) => {
    const { overlays } = await client.status();
    return overlays.map(({ device }) => [device.name, `VNI ${device.vni}`]);
  },
  vni: async (client) => {
    const { overlays } = await client.status();
    return overlays.map(({ device }) => [String(device.vni), device.name]);
  },
  mac: async (client) => (await client.fdb()).map(({ mac, dst, dev }) => [mac, `dst ${dst} dev ${dev}`]),
  vtep: async (client) => {
    const { overlays } = await client.status();
    return overlays.flatMap(({ peers }) =>
      peers.map(({ publicIp, subnets }): Value => [publicIp, subnets.join(" ")]),
    );
  },
  neighbour: async (client) => {
    return (await client.neighbours()).map(({ address, mac, dev }) => [address, `lladdr ${mac} dev ${dev}`]);
  },
  reason: async () => DROP_REASONS.map((reason) => [reason, DROPS[reason]]),
  interface: async () => readdirSync("/sys/class/net").map((name) => [name, "interface"]),
};

function distinct(values: readonly Value[]): Value[] {
  return [...new Map(values).entries()];
}
