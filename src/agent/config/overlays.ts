/**
 * The list `overlays` of a file: several VNIs in one agent, each with a device, peers and rows of its own, on one port.
 *
 *   own settings      an overlay has them from its own map only: VNI, device, addresses, peers, …
 *   other settings    of an overlay: from its map, else from the top level (with flags and environment), else the default
 *   all the others    are the agent's, and stand at the top level only
 *
 * The top level is an overlay, too, exactly where it gives `vni`: the first one then. So an agent that has one gets
 * more by a list below it, and a list alone says all there is.
 */
import type { Entry, Tree } from "./document.ts";
import type { Found, FoundOverlay } from "./found.ts";
import type { Problem } from "./problems.ts";
import type { SettingName } from "./schema.ts";

/** The key of the list. */
export const OVERLAYS = "overlays";

/** What belongs to one overlay and is never taken from the top level. */
export const OWN_SETTINGS = [
  "vni",
  "device",
  "address",
  "vtepMac",
  "remote",
  "group",
  "neighbours",
  "peers",
] as const satisfies readonly SettingName[];

/** What an overlay may have different from the top level. */
export const INHERITED_SETTINGS = [
  "mtu",
  "floodRate",
  "learning",
  "ageing",
  "maxaddress",
  "senderCheck",
  "reservedBits",
  "tos",
  "vlan",
  "gbp",
  "proxy",
  "proxyUnknown",
  "l2miss",
  "l3miss",
] as const satisfies readonly SettingName[];

const OVERLAY_SETTINGS: ReadonlySet<SettingName> = new Set([...OWN_SETTINGS, ...INHERITED_SETTINGS]);
const OWN: ReadonlySet<SettingName> = new Set(OWN_SETTINGS);

/** Whether an overlay of the list may have the setting. */
export function isOverlaySetting(name: SettingName): boolean {
  return OVERLAY_SETTINGS.has(name);
}

/** Whether it is never taken from the top level. */
export function isOwnSetting(name: SettingName): boolean {
  return OWN.has(name);
}

/**
 * Reads the list.
 * @param read reads the settings of one element; its problems name them with the prefix
 * @param problems gets what is wrong
 */
export function readOverlays(
  { key, keyPlace, value }: Entry,
  read: (entries: readonly Entry[], prefix: string) => Found,
  problems: Problem[],
): FoundOverlay[] {
  if (value.kind !== "list" || value.items.length === 0) {
    const message = "takes a list of overlays";
    problems.push({ place: keyPlace, setting: key, message, hint: "write each as `- vni: 2`" });
    return [];
  }
  return value.items.flatMap((item, i) => readItem(item, `${OVERLAYS}[${i}]`, read, problems));
}

function readItem(
  tree: Tree,
  name: string,
  read: (entries: readonly Entry[], prefix: string) => Found,
  problems: Problem[],
): FoundOverlay[] {
  if (tree.kind !== "map") {
    const message = "an overlay is a map of settings";
    problems.push({ place: tree.place, setting: name, message, hint: "write it as `- vni: 2`" });
    return [];
  }
  const prefix = `${name}.`;
  const found = read(tree.entries, prefix);
  problems.push(...found.problems);
  // One whose VNI could not be read has had its problem already.
  const hasVni = tree.entries.some(({ key }) => key === "vni" || key === "id");
  if (!hasVni)
    problems.push({ place: tree.place, setting: name, message: "has no vni", hint: "add `vni: 2`" });
  return [{ given: found.given, peers: found.peers, prefix }];
}
