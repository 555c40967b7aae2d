/**
 * What the agent says to its dataplane, whichever thread that runs in. Counters need no message (shared memory);
 * everything else is a command with one reply.
 */
import type { Dataplane, DataplaneHealth } from "../../dataplane/dataplane.ts";
import type {
  DataplanePolicy,
  FdbReason,
  FdbRefusal,
  FdbRow,
  FdbUpdate,
  NeighbourRefusal,
  NeighbourUpdate,
} from "../../dataplane/options.ts";
import type { PathLimit } from "../../dataplane/path-mtus.ts";
import type { Neighbour } from "../../fdb/neighbours.ts";

export type Command =
  | { readonly type: "update"; readonly changes: readonly FdbUpdate[] }
  | { readonly type: "policy"; readonly policy: DataplanePolicy }
  | { readonly type: "pathLimits"; readonly limits: readonly PathLimit[] }
  | { readonly type: "rows" }
  | { readonly type: "why"; readonly mac: string }
  | { readonly type: "flush" }
  | { readonly type: "age" }
  | { readonly type: "health" }
  | { readonly type: "neighbours" }
  | { readonly type: "updateNeighbours"; readonly changes: readonly NeighbourUpdate[] };

/** The reply to each command. */
export interface Replies {
  /** Per change: null, or why it was not made. */
  update: readonly (FdbRefusal | null)[];
  policy: null;
  pathLimits: null;
  rows: readonly FdbRow[];
  why: readonly FdbReason[];
  /** How many rows are gone. */
  flush: number;
  age: null;
  health: DataplaneHealth;
  neighbours: readonly Neighbour[];
  /** Per change: null, or why it was not made. */
  updateNeighbours: readonly (NeighbourRefusal | null)[];
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
    case "why":
      return dataplane.why(command.mac);
    case "flush":
      return dataplane.flush();
    case "age":
      dataplane.age();
      return null;
    case "health":
      return dataplane.health();
    case "neighbours":
      return dataplane.neighbours();
    case "updateNeighbours":
      return command.changes.map((change) => dataplane.updateNeighbour(change));
  }
}
