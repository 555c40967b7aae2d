/**
 * The agent's hold on a running dataplane, whichever thread it turns in: `worker-engine.ts` for the `batch` underlay,
 * `queues.ts` for several of those, `inline-engine.ts` for ports that live on this thread's event loop.
 */
import type { CounterSnapshot } from "../../dataplane/counters.ts";
import type { EventRing } from "../../dataplane/event-ring.ts";
import type { PortFailure } from "../../dataplane/port-failures.ts";
import type { Command, ReplyTo } from "./protocol.ts";

export interface Engine {
  readonly driver: "worker" | "event-loop";
  /** What its threads tell, a ring for each. */
  readonly events: readonly EventRing[];
  /**
   * What has happened so far, in numbers.
   * @param overlay of which one: its place in what the engine was started with; left out, of all together
   */
  snapshot(overlay?: number): CounterSnapshot;
  /** Sends a command and waits for its reply. Rejects once the dataplane has ended. */
  ask<C extends Command>(command: C): Promise<ReplyTo<C>>;
  /** Stops the loop; resolves when no packet moves any more. Descriptors stay open: they are the caller's. */
  stop(): Promise<void>;
  /** Resolves when the dataplane ends without being told to, with what ended it. */
  readonly failed: Promise<PortFailure | Error>;
}

/** The error of a question to a dataplane that has ended. */
export function ended(): Error {
  return Object.assign(new Error("the dataplane has ended"), { code: "DATAPLANE_ENDED" });
}
