/**
 * What a node of a flannel cluster leaves beside its devices: the firewall's rules, direct and blackhole routes, and
 * subnet.env, which says that there was such a node, and in which networks; and what --write-cni-conf has written.
 */
import { rm } from "node:fs/promises";
import { removeCniConf } from "../agent/flannel/cni-conf.ts";
import { formerOf } from "../agent/flannel/former.ts";
import { applyHostSteps } from "../host/apply.ts";
import { ensureBlackholes } from "../host/blackhole.ts";
import { readDirectRoutes } from "../host/direct.ts";
import { removeFirewall } from "../host/firewall/firewall.ts";
import { ipOrThrow } from "../host/ip.ts";
import { readSubnetEnv } from "../host/subnet-env.ts";

/**
 * Removes it, once the devices are gone.
 * @param cniConf what --write-cni-conf named; somebody else's file of that name stays
 * @returns what was done, a line each; none where there was no such node and no such file
 * @throws HostError
 */
export async function cleanUpNode(subnetFile: string, cniConf: string | null): Promise<string[]> {
  const { networks } = formerOf(await readSubnetEnv(subnetFile));
  const others = await flannelLinks();
  if (networks.length === 0) {
    // Without subnet.env nobody knows what the node was; the file that was named says itself whose it is.
    const removed = cniConf !== null && others.length === 0 && (await removeCniConf(cniConf));
    return removed ? [`removed ${cniConf}`] : [];
  }
  if (others.length > 0) {
    return [`${others.join(", ")} is there, another node's: the firewall's rules and ${subnetFile} stay`];
  }
  const done = await removeFirewall();
  for (const { dev, subnet } of await directRoutes(networks.map(({ network }) => network))) {
    done.push(`route      ${subnet} dev ${dev}`);
  }
  const subnets = networks.map(({ subnet }) => subnet);
  done.push(...(await ensureBlackholes([], subnets)));
  // Runtimes must not set up pods for a node that is gone: so this one first.
  if (cniConf !== null && (await removeCniConf(cniConf))) done.push(cniConf);
  await rm(subnetFile, { force: true });
  return [
    "removed what the node of a flannel cluster left",
    ...[...done, subnetFile].map((line) => `  ${line}`),
  ];
}

/** Devices of a flannel that is still there. */
async function flannelLinks(): Promise<string[]> {
  const links = JSON.parse(await ipOrThrow(["-json", "link", "show"], {})) as { ifname?: string }[];
  return links.flatMap(({ ifname = "" }) => (/^flannel(-v6)?\.\d+$/.test(ifname) ? [ifname] : []));
}

/** Removes them from every interface: which one was the uplink nobody knows any more. */
async function directRoutes(networks: readonly string[]): Promise<{ dev: string; subnet: string }[]> {
  const links = JSON.parse(await ipOrThrow(["-json", "link", "show", "up"], {})) as { ifname?: string }[];
  const removed: { dev: string; subnet: string }[] = [];
  for (const { ifname: dev = "" } of links) {
    if (dev === "") continue;
    const routes = await readDirectRoutes({ uplink: dev, networks });
    const steps = routes.map((route) => ({ table: "route", op: "del", ...route }) as const);
    const reasons = await applyHostSteps(dev, steps);
    removed.push(...routes.filter((_, i) => reasons[i] === null).map(({ subnet }) => ({ dev, subnet })));
  }
  return removed;
}
