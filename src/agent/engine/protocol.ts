/**
 * What the agent says to its dataplane, whichever thread that runs in. Counters need no message (shared memory);
 * everything else is a command with one reply.
 */
import type { Dataplane, DataplaneHealth } from "../../dataplane/dataplane.ts";
import type { DataplanePolicy, FdbRefusal, FdbRow, FdbUpdate } from "../../dataplane/options.ts";
import type { PathLimit } from "../../dataplane/path-mtus.ts";

export type Command =
  | { readonly type: "update"; readonly changes: readonly FdbUpdate[] }
  | { readonly type: "policy"; readonly policy: DataplanePolicy }
  | { readonly type: "pathLimits"; readonly limits: readonly PathLimit[] }
  | { readonly type: "rows" }
  | { readonly type: "health" };

/** The reply to each command. */
export interface Replies {
  /** Per change: null, or why it was not made. */
  update: readonly (FdbRefusal | null)[];
  policy: null;
  pathLimits: null;
  rows: readonly FdbRow[];
  health: DataplaneHealth;
}

export type ReplyTo<C extends Command> = Replies[C["type"]];

/** Carries a command out, between two turns of the loop. */
export function execute(dataplane: Dataplane, command: Command): Replies[keyof Replies] {
  switch (command.type) {
    case "update":
      return command.changes.map((change) => dataplane.update(change));
    case "policy":
      dataplane.setPolicy(command.policy);
      return null;
    case "pathLimits":
      dataplane.setPathLimits(command.limits);
      return null;
    case "rows":
      return dataplane.rows();
    case "health":
      return dataplane.health();
  }
}
