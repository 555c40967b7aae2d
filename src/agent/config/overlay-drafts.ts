/** From the list `overlays` and the top level to a draft for each overlay, and what several of them must not share. */

import { checkDraft } from "./checks.ts";
import type { Draft } from "./draft.ts";
import { familyOfDraft } from "./draft.ts";
import type { FoundOverlay } from "./found.ts";
import { isOwnSetting, OWN_SETTINGS } from "./overlays.ts";
import { formatProblem, type Place, type Problem } from "./problems.ts";
import { type SettingName, type Settings, settingOf } from "./schema.ts";

/** Own settings that the top level may not have without `vni`; `vni` itself is what makes it an overlay. */
const NOT_ALONE = OWN_SETTINGS.filter((name) => name !== "vni");

/** @returns a draft for each overlay: the top level's first where it gives `vni`, or where there is no list. */
export function draftsOf(top: Draft, list: readonly FoundOverlay[] | null): readonly Draft[] {
  if (list === null) return [top];
  const drafts = [...(top.places.has("vni") ? [top] : []), ...list.map((overlay) => draftOf(top, overlay))];
  if (drafts.length === 0) return [top];
  const [sample] = drafts.filter(
    ({ settings, peers }) => settings.remote.length + peers.length > 0 || settings.group !== null,
  );
  const family = familyOfDraft(top.settings.local !== null ? top : (sample ?? top));
  return drafts.map((draft) => ({ ...draft, family }));
}

function draftOf(top: Draft, { given, peers, prefix }: FoundOverlay): Draft {
  const values: Partial<Record<SettingName, unknown>> = { ...top.settings };
  const places = new Map(top.places);
  for (const name of OWN_SETTINGS) {
    values[name] = settingOf(name).fallback;
    places.delete(name);
  }
  for (const [name, one] of given) {
    if (name !== "peers") values[name] = one.value;
    places.set(name, one.place);
  }
  const addressPlaces = given.get("address")?.places ?? [];
  const remotePlaces = given.get("remote")?.places ?? [];
  return { settings: values as unknown as Settings, places, addressPlaces, remotePlaces, peers, prefix };
}

/**
 * Checks each overlay, and all of them together. @returns every mistake once
 * @param devicePrefix what stands before the VNI in the name of a device that is given none
 */
export function checkDrafts(
  top: Draft,
  drafts: readonly Draft[],
  devicePrefix: string,
): { problems: Problem[]; warnings: Problem[] } {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  for (const draft of drafts) {
    const checked = checkDraft(draft, drafts);
    problems.push(...checked.problems.map((problem) => named(problem, draft, top)));
    warnings.push(...checked.warnings.map((problem) => named(problem, draft, top)));
  }
  if (drafts[0] !== top && !top.places.has("vni")) checkTop(top, drafts, problems);
  checkUnique(drafts, devicePrefix, problems, warnings);
  checkGroups(drafts, problems);
  return { problems: once(problems), warnings: once(warnings) };
}

/** Names a setting of an overlay's as one of the list; what it has from the top level keeps its name. */
function named(problem: Problem, { prefix = "", places }: Draft, top: Draft): Problem {
  const setting = problem.setting as SettingName;
  if (prefix === "" || setting.startsWith(prefix) || setting.includes("[")) return problem;
  const own = isOwnSetting(setting) || places.get(setting) !== top.places.get(setting);
  return own ? { ...problem, setting: `${prefix}${setting}` } : problem;
}

function checkTop(top: Draft, drafts: readonly Draft[], problems: Problem[]): void {
  if (drafts.every(({ prefix }) => prefix === undefined)) return;
  for (const name of NOT_ALONE) {
    const place = top.places.get(name);
    // An empty list of peers, as whoever writes files writes it, gives nothing.
    if (place === undefined || (name === "peers" && top.peers.length === 0)) continue;
    const message = "belongs to one overlay, and with `overlays` the top level is one only if it gives `vni`";
    problems.push({ place, setting: name, message, hint: "move it into the list, or give `vni`, too" });
  }
}

/** node:dgram's port here joins one group. */
function checkGroups(drafts: readonly Draft[], problems: Problem[]): void {
  const [first, ...others] = drafts.filter(({ settings }) => settings.group !== null);
  for (const { settings, places, prefix = "" } of others) {
    if (settings.underlay === "batch" || settings.group === first!.settings.group) continue;
    const place: Place = places.get("group") ?? { source: "default" };
    const message = `is another group than ${first!.settings.group}, and only the batch underlay joins several`;
    problems.push({ place, setting: `${prefix}group`, message, hint: "use batch, or one group for all" });
  }
}

/** VNIs and names of devices, which tell overlays apart; MACs had better differ, too. */
function checkUnique(
  drafts: readonly Draft[],
  devicePrefix: string,
  problems: Problem[],
  warnings: Problem[],
): void {
  const seen = new Map<string, string>();
  const check = (draft: Draft, name: "vni" | "device" | "vtepMac", hint: string, into: Problem[]): void => {
    const { [name]: given, vni } = draft.settings;
    const value = name === "device" ? (given ?? `${devicePrefix}${vni}`) : given;
    const whose = draft.prefix?.slice(0, -1) ?? "the top level";
    const other = value === null ? undefined : seen.get(`${name} ${value}`);
    if (other === undefined) {
      seen.set(`${name} ${value}`, whose);
      return;
    }
    const place: Place = draft.places.get(name) ?? { source: "default" };
    const message = `${value} is that of ${other}, too`;
    into.push({ place, setting: `${draft.prefix ?? ""}${name}`, message, hint });
  };
  for (const draft of drafts) {
    // One whose VNI is missing or wrong has had its problem.
    if (draft.prefix !== undefined && !draft.places.has("vni")) continue;
    check(draft, "vni", "each overlay has a VNI of its own", problems);
    check(draft, "device", "each overlay has a device of its own", problems);
    check(draft, "vtepMac", "give each device a MAC of its own where they may meet on a bridge", warnings);
  }
}

function once(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [formatProblem(problem), problem])).values()];
}
