/** What an operator should know of paths that are narrower than the overlay. */
import type { HealthLine, RemoteStatus } from "../api/status-types.ts";
import type { PathSettings } from "./watch.ts";

/**
 * @param mtu the overlay's
 * @returns a line for each path MTU that is too small for it, however many peers have it
 */
export function narrowPaths(
  peers: readonly RemoteStatus[],
  mtu: number,
  pmtu: PathSettings["pmtu"],
): HealthLine[] {
  const byBytes = new Map<number, RemoteStatus[]>();
  for (const peer of peers) {
    const { pathMtu } = peer;
    if (pathMtu === null || pathMtu.bytes >= pathMtu.needed) continue;
    byBytes.set(pathMtu.bytes, [...(byBytes.get(pathMtu.bytes) ?? []), peer]);
  }
  return [...byBytes].map(([bytes, [first, ...others]]) => describe(bytes, first!, others.length, mtu, pmtu));
}

function describe(
  bytes: number,
  { address, pathMtu }: RemoteStatus,
  more: number,
  mtu: number,
  pmtu: PathSettings["pmtu"],
): HealthLine {
  const { needed } = pathMtu!;
  const whose = more === 0 ? address : `${address} and ${more} more`;
  const then = pmtu === "icmp" ? "pods are told to send less" : "larger packets are fragmented or lost";
  return {
    level: "warning",
    message: `the path to ${whose} carries ${bytes} bytes, the overlay's MTU of ${mtu} needs ${needed}: ${then}`,
    remedy: `set \`mtu: ${mtu - (needed - bytes)}\` to avoid it`,
  };
}
