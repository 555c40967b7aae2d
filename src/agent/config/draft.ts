/** A configuration that could be read, before its checks (`checks.ts`), and what they ask of it. */
import { type Family, familyOf } from "../../control/address.ts";
import type { LocatedLease } from "./peers.ts";
import type { Place } from "./problems.ts";
import type { SettingName, Settings } from "./schema.ts";

/** Everything that could be read, with its places. */
export interface Draft {
  /** With their defaults; `peers` is left to the next field. */
  readonly settings: Settings;
  readonly places: ReadonlyMap<SettingName, Place>;
  /** For each element of `address`, its place. */
  readonly addressPlaces: readonly Place[];
  /** The same of `remote`. */
  readonly remotePlaces: readonly Place[];
  readonly peers: readonly LocatedLease[];
  /** Of one of several overlays: what stands before its own settings in a message, as "overlays[1]." */
  readonly prefix?: string;
  /** Of one of several overlays: the underlay's family, which is that of all of them. */
  readonly family?: Family;
}

/** Adds to the problems, or to the warnings. */
export type Report = (place: Place, setting: string, message: string, hint?: string) => void;

/** @returns where a setting stands */
export function placeOf(draft: Draft, name: SettingName): Place {
  return draft.places.get(name) ?? { source: "default" };
}

/** @returns the family of a draft's underlay: that of `local`, or of the first address that frames are sent to */
export function familyOfDraft({ settings: { local, remote, group }, peers, family }: Draft): Family {
  const sample = local ?? peers[0]?.lease.publicIp ?? remote[0] ?? group;
  return family ?? (sample === null ? 4 : familyOf(sample));
}
