/** Leases, and the tables that they lead to: what `difference` and `applyPlan` are held against. */
import { expect } from "vitest";
import { applyPlan } from "../../src/control/apply.ts";
import { desiredRows } from "../../src/control/desired.ts";
import { difference } from "../../src/control/difference.ts";
import type { Lease } from "../../src/control/lease.ts";
import type { RouteRow } from "../../src/control/rows.ts";
import type { Model } from "./model.ts";

export const UPLINK = "eth0";

/** The lease of node n, 1 to 9. */
export const lease = (n: number, more: Partial<Lease> = {}): Lease => ({
  publicIp: `192.168.0.${n}`,
  port: 8472,
  vtepMac: `0e:2a:00:00:00:0${n}`,
  subnets: [`10.244.${n}.0/24`],
  ...more,
});

/** What the tables hold for leases, written down without the code under test. */
export function tables(list: readonly Lease[]): { neighbours: string[]; fdb: string[]; routes: string[] } {
  const neighbours: string[] = [];
  const fdb: string[] = [];
  const routes: string[] = [];
  for (const { publicIp, port, vtepMac, subnets, direct } of list) {
    fdb.push(`${vtepMac} ${publicIp} ${port}`);
    for (const subnet of subnets) {
      const network = subnet.split("/")[0]!;
      if (direct !== undefined) {
        routes.push(`${subnet} via ${publicIp} dev eth0`);
        continue;
      }
      neighbours.push(`${network} ${vtepMac}`);
      routes.push(`${subnet} via ${network}`);
    }
  }
  return { neighbours: neighbours.sort(), fdb: fdb.sort(), routes: routes.sort() };
}

/** The same of what a model holds. */
export function tablesOf(model: Model): ReturnType<typeof tables> {
  return {
    neighbours: [...model.neighbours].map(([address, mac]) => `${address} ${mac}`).sort(),
    fdb: [...model.fdbRows].map(([mac, { dst, port }]) => `${mac} ${dst} ${port}`).sort(),
    routes: model.routes.map(routeText).sort(),
  };
}

export function routeText({ subnet, via, dev }: RouteRow): string {
  return `${subnet} via ${via}${dev === undefined ? "" : ` dev ${dev}`}`;
}

/** Compares, and carries out what has to change, of which nothing may fail. */
export async function bring(model: Model, list: readonly Lease[]): Promise<void> {
  const { failures } = await applyPlan(difference(model.actual(), desiredRows(list, [])), model);
  expect(failures).toEqual([]);
}
