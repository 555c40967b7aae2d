/**
 * A dataplane on this thread's event loop: for `dgram`, for `raw` (raw-socket can be loaded in one thread only), and
 * for memory ports.
 */
import { Counters } from "../../dataplane/counters.ts";
import { Dataplane } from "../../dataplane/dataplane.ts";
import { EventDriver } from "../../dataplane/drive-events.ts";
import { EventRing } from "../../dataplane/event-ring.ts";
import type { PortFailure } from "../../dataplane/loop.ts";
import type { DataplaneOptions } from "../../dataplane/options.ts";
import type { Tap, Underlay } from "../../dataplane/ports.ts";
import type { Native } from "../../dataplane/sums.ts";
import { type Engine, ended } from "./engine.ts";
import { type Command, execute, type ReplyTo } from "./protocol.ts";

/** @param sums how payloads are summed; left out, in TypeScript */
export function startInlineEngine(
  options: DataplaneOptions,
  tap: Tap,
  underlay: Underlay,
  native?: Native,
): Engine {
  const events = new EventRing();
  const dataplane = new Dataplane(options, tap, underlay, new Counters(), native, events);
  let over = false;
  let fail: (failure: PortFailure) => void;
  const failed = new Promise<PortFailure>((resolve) => {
    fail = resolve;
  });
  const driver = new EventDriver(dataplane.loop, tap, underlay, () => {
    over = true;
    fail(dataplane.loop.failure!);
  });
  driver.start();
  return {
    driver: "event-loop",
    events: [events],
    snapshot: () => dataplane.counters.snapshot(),
    failed,
    async ask<C extends Command>(command: C): Promise<ReplyTo<C>> {
      if (over) throw ended();
      return execute(dataplane, command) as ReplyTo<C>;
    },
    async stop(): Promise<void> {
      over = true;
      driver.stop();
    },
  };
}
