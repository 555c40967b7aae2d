/**
 * A network configuration for container runtimes in which all is said that flannel's plugin would fill in: runtimes run
 * `bridge` and `portmap` themselves then, and no process of ours starts for a pod.
 */
import { addressOf, parseCidr } from "../control/address.ts";
import { parseConf } from "./conf.ts";
import { delegateConf } from "./delegate-conf.ts";
import type { PodNetwork } from "./pod-network.ts";

/**
 * What kube-flannel's configuration asks for, under its name. Of its version no: from 0.4.0 on there is CHECK, and DEL
 * hears what ADD has made; 1.0.0 is what plugins of 2021 and later know.
 */
const CONF = {
  name: "cbr0",
  cniVersion: "1.0.0",
  delegate: { hairpinMode: true, isDefaultGateway: true },
};

/** Runtimes pass over keys that they do not know. */
const MARK = "poplin";
const MARK_TEXT =
  "written by poplin flanneld, and written again when it is changed; without this line it is yours";

/** @returns the file's text */
export function formatConflist(pods: PodNetwork): string {
  const ipam = { routes: gatewayRoutes(pods) };
  const conf = parseConf(JSON.stringify({ ...CONF, ipam }));
  const { name, cniVersion, ...bridge } = delegateConf(conf, { ...pods, networks: [] });
  const portmap = { type: "portmap", capabilities: { portMappings: true } };
  return `${JSON.stringify({ name, cniVersion, [MARK]: MARK_TEXT, plugins: [bridge, portmap] }, null, 2)}\n`;
}

/**
 * The routes to all pods by the gateway's address, which bridge would fill in at ADD. It has to be said for CHECK: bridge
 * (1.1.1) looks there for a route without a gateway, and does not find what it has made itself.
 */
function gatewayRoutes({ networks, subnets }: PodNetwork): { dst: string; gw: string }[] {
  const own = subnets.map(parseCidr);
  return networks.flatMap((dst) => {
    const subnet = own.find(({ family }) => family === parseCidr(dst).family);
    return subnet === undefined ? [] : [{ dst, gw: addressOf(subnet.family, subnet.first + 1n) }];
  });
}

/** Whether a file is one of these, of whatever network: others are somebody's. */
export function isOurConflist(text: string): boolean {
  try {
    return Object.hasOwn(JSON.parse(text) as object, MARK);
  } catch {
    return false;
  }
}
