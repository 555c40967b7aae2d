/**
 * Which peers are on the uplink's own link: those that the kernel would send to without a gateway. flannel asks the same
 * for DirectRouting (`pkg/backend/vxlan/vxlan_network.go`). Asked, not calculated from the table of routes: policy rules,
 * other tables and routes of any kind have their say.
 */
import { type HostOptions, runIp } from "./ip.ts";

/** One answer of `ip -json route get`. */
interface IpWay {
  readonly type?: string;
  readonly dst?: string;
  readonly dev?: string;
  readonly gateway?: string;
  /** A gateway of the other family (RFC 8950). */
  readonly via?: unknown;
  readonly nexthops?: unknown;
}

/**
 * One process for all addresses: 5,000 take some 50 ms.
 * @param addresses canonical, of either family
 * @returns those that are reached through `uplink` without a gateway. One to which there is no way is not among them
 * @throws HostError when `ip` cannot be run
 */
export async function onLink(
  addresses: readonly string[],
  uplink: string,
  options: HostOptions = {},
): Promise<Set<string>> {
  if (addresses.length === 0) return new Set();
  const lines = addresses.map((address) => `route get ${address}\n`);
  const { stdout } = await runIp(["-json", "-force", "-batch", "-"], options, lines.join(""));
  return parseOnLink(stdout, uplink);
}

/** @param text what the batch printed: the JSON of each answer on a line of its own, of a failure nothing */
export function parseOnLink(text: string, uplink: string): Set<string> {
  const found = new Set<string>();
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const ways = JSON.parse(line) as readonly IpWay[];
    const [way] = ways;
    if (ways.length === 1 && way?.dst !== undefined && isDirect(way, uplink)) found.add(way.dst);
  }
  return found;
}

function isDirect({ type = "unicast", dev, gateway, via, nexthops }: IpWay, uplink: string): boolean {
  return (
    type === "unicast" &&
    dev === uplink &&
    gateway === undefined &&
    via === undefined &&
    nexthops === undefined
  );
}
