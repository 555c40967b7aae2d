/**
 * What the agent says to its dataplane, whichever thread that runs in. Counters need no message (shared memory);
 * everything else is a command with one reply.
 */
import type { CounterSnapshot } from "../../dataplane/counters.ts";
import type { Dataplane, DataplaneHealth } from "../../dataplane/dataplane.ts";
import type { LearnedRows } from "../../dataplane/learned.ts";
import type {
  DataplanePolicy,
  FdbReason,
  FdbRefusal,
  FdbRow,
  FdbUpdate,
  NeighbourRefusal,
  NeighbourUpdate,
} from "../../dataplane/options.ts";
import type { Overlay } from "../../dataplane/overlay.ts";
import type { PathLimit } from "../../dataplane/path-mtus.ts";
import type { ProbeVerdict } from "../../dataplane/self-probe.ts";
import type { Neighbour } from "../../fdb/neighbours.ts";

/** Which overlay a command is for: its place in what the engine was started with. Left out: the first. */
export interface ForOverlay {
  readonly overlay?: number | undefined;
}

export type Command =
  | (ForOverlay & { readonly type: "update"; readonly changes: readonly FdbUpdate[] })
  | (ForOverlay & { readonly type: "policy"; readonly policy: DataplanePolicy })
  | { readonly type: "pathLimits"; readonly limits: readonly PathLimit[] }
  | (ForOverlay & { readonly type: "rows"; readonly learned?: boolean })
  | (ForOverlay & { readonly type: "why"; readonly mac: string })
  | (ForOverlay & { readonly type: "flush" })
  | { readonly type: "age" }
  | { readonly type: "health" }
  | (ForOverlay & { readonly type: "probe" })
  | { readonly type: "hold" }
  | { readonly type: "release" }
  | (ForOverlay & { readonly type: "learned" })
  | (ForOverlay & { readonly type: "relearn"; readonly rows: LearnedRows })
  | (ForOverlay & { readonly type: "count"; readonly counters: CounterSnapshot })
  | (ForOverlay & { readonly type: "neighbours" })
  | (ForOverlay & { readonly type: "updateNeighbours"; readonly changes: readonly NeighbourUpdate[] });

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
  probe: ProbeVerdict;
  /** Whether nothing moves until `release`: all that had been read has been sent. */
  hold: boolean;
  release: null;
  learned: LearnedRows;
  relearn: null;
  count: null;
  neighbours: readonly Neighbour[];
  /** Per change: null, or why it was not made. */
  updateNeighbours: readonly (NeighbourRefusal | null)[];
}

export type ReplyTo<C extends Command> = Replies[C["type"]];

/** Carries a command out, between two turns of the loop. */
export function execute(dataplane: Dataplane, command: Command): Replies[keyof Replies] {
  switch (command.type) {
    case "pathLimits":
      dataplane.setPathLimits(command.limits);
      return null;
    case "age":
      dataplane.age();
      return null;
    case "health":
      return dataplane.health();
    case "probe":
      return dataplane.probe(command.overlay ?? 0);
    case "hold":
      return dataplane.hold();
    case "release":
      dataplane.release();
      return null;
    default:
      return executeOn(dataplane.overlays[command.overlay ?? 0]!, command);
  }
}

/** A command that is for one overlay. */
function executeOn(
  overlay: Overlay,
  command: Exclude<Command, { type: "pathLimits" | "age" | "health" | "probe" | "hold" | "release" }>,
): Replies[keyof Replies] {
  switch (command.type) {
    case "update":
      return command.changes.map((change) => overlay.update(change));
    case "policy":
      overlay.setPolicy(command.policy);
      return null;
    case "rows":
      return overlay.rows(command.learned);
    case "why":
      return overlay.why(command.mac);
    case "flush":
      return overlay.flush();
    case "learned":
      return overlay.learned();
    case "relearn":
      overlay.relearn(command.rows);
      return null;
    case "count":
      overlay.counters.restore(command.counters);
      return null;
    case "neighbours":
      return overlay.neighbours();
    case "updateNeighbours":
      return command.changes.map((change) => overlay.updateNeighbour(change));
  }
}
