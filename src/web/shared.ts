/** What parts of the page are given. */
import type { Explanation } from "../teach/explanation.ts";
import type { Action, State } from "./state.ts";

export interface Shared {
  readonly state: State;
  readonly dispatch: (action: Action) => void;
  readonly explanation: Explanation;
  /** The ids of the fields that are pointed at. */
  readonly marked: readonly string[];
  readonly mark: (ids: readonly string[]) => void;
}
