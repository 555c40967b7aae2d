/** What a source of the configuration gives: the values found, with their places, and the mistakes. */
import type { LocatedLease } from "./peers.ts";
import type { Place, Problem } from "./problems.ts";
import type { SettingName } from "./schema.ts";

/** A setting that was given, and could be read. */
export interface Given {
  readonly place: Place;
  readonly value: unknown;
  /** Of several values, the place of each. */
  readonly places: readonly Place[];
}

/** What one source gives. */
export interface Found {
  readonly given: ReadonlyMap<SettingName, Given>;
  readonly peers: readonly LocatedLease[];
  /** The list `overlays`; null where none is given. */
  readonly overlays: readonly FoundOverlay[] | null;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** One element of the list, as far as it could be read. */
export interface FoundOverlay extends Pick<Found, "given" | "peers"> {
  /** "overlays[1]." */
  readonly prefix: string;
}
