/**
 * What a reload changes. A change that needs a restart makes the whole reload one that cannot be done: nothing is
 * applied by halves, and the operator hears which settings are in the way.
 */
import { type Lease, sameLease } from "../../control/lease.ts";
import type { AgentConfig, OverlayConfig } from "./load.ts";
import { isOverlaySetting, OVERLAYS } from "./overlays.ts";
import { type SettingName, settingOf } from "./schema.ts";

/** One setting that differs, `peers` apart; or the list of overlays, by their VNIs. */
export interface SettingChange {
  readonly name: SettingName | typeof OVERLAYS;
  /** Of several overlays, the VNI of the one whose setting it is. */
  readonly vni?: number;
  readonly from: unknown;
  readonly to: unknown;
}

export interface ConfigDiff {
  /** Settings that can change while packets flow. */
  readonly live: readonly SettingChange[];
  /** Settings that cannot: with any of these, refuse the reload. */
  readonly restart: readonly SettingChange[];
  /** Peers by their VTEP MAC: new, gone, and of the same MAC with other facts. */
  readonly peers: {
    readonly added: readonly Lease[];
    readonly removed: readonly Lease[];
    readonly changed: readonly { readonly from: Lease; readonly to: Lease }[];
  };
  /** Whether the two are the same. */
  readonly same: boolean;
}

/** Compares two configurations. */
export function diffConfig(old: AgentConfig, next: AgentConfig): ConfigDiff {
  const several = old.overlays.length + next.overlays.length > 2;
  const changes = several ? overlayChanges(old, next) : settingChanges(old, next, () => true);
  const isLive = ({ name }: SettingChange): boolean => name !== OVERLAYS && settingOf(name).reload === "live";
  const live = changes.filter(isLive);
  const restart = changes.filter((change) => !isLive(change));
  // Without `local`, the peers decide the family of the socket.
  if (old.family !== next.family && !restart.some(({ name }) => name === "local")) {
    restart.push({ name: "local", from: `IPv${old.family}`, to: `IPv${next.family}` });
  }
  const peers = several ? overlayPeers(old, next) : diffPeers(old.peers, next.peers);
  const same =
    live.length + restart.length + peers.added.length + peers.removed.length + peers.changed.length === 0;
  return { live, restart, peers, same };
}

function settingChanges(
  old: OverlayConfig,
  next: OverlayConfig,
  concerns: (name: SettingName) => boolean,
): SettingChange[] {
  return (Object.keys(old.origins) as SettingName[])
    .filter((name) => name !== "peers" && concerns(name) && !sameValue(name, old[name], next[name]))
    .map((name) => ({ name, from: old[name], to: next[name] }));
}

/** Pairs of the overlays that are in both, by their VNI. */
function pairs(old: AgentConfig, next: AgentConfig): [OverlayConfig, OverlayConfig][] {
  return old.overlays.flatMap((from): [OverlayConfig, OverlayConfig][] => {
    const to = next.overlays.find(({ vni }) => vni === from.vni);
    return to === undefined ? [] : [[from, to]];
  });
}

/** What all have in common once; what is one overlay's with its VNI; an overlay more or less needs a restart. */
function overlayChanges(old: AgentConfig, next: AgentConfig): SettingChange[] {
  const [from, to] = [old, next].map(({ overlays }) => overlays.map(({ vni }) => vni).join(", "));
  return [
    ...(from === to ? [] : [{ name: OVERLAYS, from, to } as const]),
    ...settingChanges(old, next, (name) => !isOverlaySetting(name)),
    ...pairs(old, next).flatMap(([before, after]) =>
      settingChanges(before, after, isOverlaySetting).map((change) => ({ ...change, vni: before.vni })),
    ),
  ];
}

function overlayPeers(old: AgentConfig, next: AgentConfig): ConfigDiff["peers"] {
  const each = pairs(old, next).map(([from, to]) => diffPeers(from.peers, to.peers));
  return {
    added: each.flatMap(({ added }) => added),
    removed: each.flatMap(({ removed }) => removed),
    changed: each.flatMap(({ changed }) => changed),
  };
}

/** @returns the difference in a line: "senderCheck: strict → mac; 1 peer added, 2 changed", or "nothing changed". */
export function describeDiff(diff: ConfigDiff): string {
  if (diff.same) return "nothing changed";
  const settings = [...diff.restart, ...diff.live].map(
    ({ name, vni, from, to }) =>
      `${vni === undefined ? "" : `VNI ${vni} `}${name}: ${valueText(name, from)} → ${valueText(name, to)}`,
  );
  const counts = Object.entries(diff.peers)
    .filter(([, list]) => list.length > 0)
    .map(([what, list]) => `${list.length} ${what}`);
  const total = counts.length === 1 && counts[0]!.startsWith("1 ") ? "peer" : "peers";
  return [...settings, ...(counts.length > 0 ? [`${total}: ${counts.join(", ")}`] : [])].join("; ");
}

/** The same of an agent with several underlays, each with its first device's name. @param next as many as `old` */
export function describeDiffs(old: readonly AgentConfig[], next: readonly AgentConfig[]): string {
  const texts = old.flatMap((before, i) => {
    const diff = diffConfig(before, next[i]!);
    return diff.same ? [] : [`${old.length === 1 ? "" : `${before.device}: `}${describeDiff(diff)}`];
  });
  return texts.length === 0 ? "nothing changed" : texts.join("; ");
}

/**
 * @param old one for each underlay
 * @returns what of `next` needs a restart, and what else it changes, in a line; null where nothing does
 */
export function restartNeeded(old: readonly AgentConfig[], next: readonly AgentConfig[]): string | null {
  if (old.length !== next.length) {
    return `underlays: ${old.length} → ${next.length}; restart the agent to change their number`;
  }
  const names = old.flatMap((config, i) => diffConfig(config, next[i]!).restart.map(({ name }) => name));
  if (names.length === 0) return null;
  return `${describeDiffs(old, next)}; restart the agent to change ${[...new Set(names)].join(", ")}`;
}

function valueText(name: SettingChange["name"], value: unknown): string {
  return name === OVERLAYS ? String(value) : settingOf(name).format(value);
}

function sameValue(name: SettingName, a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return valueText(name, a) === valueText(name, b);
  return a.length === b.length && a.every((element) => b.includes(element));
}

function diffPeers(old: readonly Lease[], next: readonly Lease[]): ConfigDiff["peers"] {
  const before = new Map(old.map((lease) => [lease.vtepMac, lease]));
  const after = new Set(next.map((lease) => lease.vtepMac));
  const changed = next.flatMap((to) => {
    const from = before.get(to.vtepMac);
    return from === undefined || sameLease(from, to) ? [] : [{ from, to }];
  });
  return {
    added: next.filter(({ vtepMac }) => !before.has(vtepMac)),
    removed: old.filter(({ vtepMac }) => !after.has(vtepMac)),
    changed,
  };
}
