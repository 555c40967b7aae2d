/**
 * A network configuration for container runtimes in which all is said that flannel's plugin would fill in: runtimes run
 * `bridge` and `portmap` themselves then, and no process of ours starts for a pod.
 */
import { parseConf } from "./conf.ts";
import { delegateConf } from "./delegate-conf.ts";
import type { PodNetwork } from "./pod-network.ts";

/**
 * What kube-flannel's configuration asks for, under its name. Not of its version: from 0.4.0 on DEL hears what ADD has
 * made; 1.0.0 is what plugins of 2021 and later know.
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
  const { name, cniVersion, ...bridge } = delegateConf(parseConf(JSON.stringify(CONF)), pods);
  const portmap = { type: "portmap", capabilities: { portMappings: true } };
  const list = {
    name,
    cniVersion,
    // At CHECK bridge (1.1.1) looks for the routes to all pods without the gateway that it has given them itself, and
    // portmap for rules of the other family: both would call healthy pods broken.
    disableCheck: true,
    [MARK]: MARK_TEXT,
    plugins: [bridge, portmap],
  };
  return `${JSON.stringify(list, null, 2)}\n`;
}

/** Whether a file is one of these, of whatever network: others are somebody's. */
export function isOurConflist(text: string): boolean {
  try {
    return Object.hasOwn(JSON.parse(text) as object, MARK);
  } catch {
    return false;
  }
}
