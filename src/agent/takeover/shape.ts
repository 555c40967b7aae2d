/**
 * What the sockets and devices of an underlay are made with, and so cannot be different after a take-over: setting by
 * setting, as text. Everything else the new agent may have as it likes.
 */
import type { OffloadName } from "../../dataplane/offloads.ts";
import { groupsOf } from "../batch-sockets.ts";
import type { AgentConfig } from "../config/load.ts";
import { type SettingName, settingOf } from "../config/schema.ts";
import type { Ground } from "../open.ts";
import { queueCount } from "../underlay.ts";

export type Shape = Readonly<Record<string, string>>;

/** Options of the sockets. */
const SOCKET_SETTINGS = [
  "underlay",
  "port",
  "dev",
  "sourcePorts",
  "receiveBuffer",
  "sendBuffer",
  "ttl",
  "df",
  "udpChecksum",
  "flowlabel",
  "udp6zerocsumrx",
] as const satisfies readonly SettingName[];

/** What frames that wait in the TAP or the socket may look like, and whether there is a second TAP. */
const BOUND_OFFLOADS: readonly OffloadName[] = ["tap-csum", "tap-tso", "tap-uso", "udp-gro", "hairpin"];

/** @param ground what was found out at its start */
export function shapeOf(config: AgentConfig, { uplink, offloads }: Ground): Shape {
  const settings = SOCKET_SETTINGS.map((name) => [name, settingOf(name).format(config[name])]);
  return {
    overlays: config.overlays.map(({ device, vni }) => `${device} (VNI ${vni})`).join(", "),
    local: uplink.address,
    ...Object.fromEntries(settings),
    queues: String(queueCount(config)),
    group: groupsOf(config).join(", ") || "none",
    offload: BOUND_OFFLOADS.filter((name) => offloads[name] === null).join(", ") || "none of the TAP's",
  };
}

/**
 * @param old one for each underlay, as `next`
 * @returns what is different, as "queues: 1 → 2"; what only one of them knows of is different, too
 */
export function differences(old: readonly Shape[], next: readonly Shape[]): string[] {
  if (old.length !== next.length) return [`underlays: ${old.length} → ${next.length}`];
  return old.flatMap((before, i) => {
    const after = next[i]!;
    return [...new Set([...Object.keys(before), ...Object.keys(after)])]
      .filter((name) => before[name] !== after[name])
      .map((name) => `${name}: ${before[name] ?? "not known"} → ${after[name] ?? "not known"}`);
  });
}
