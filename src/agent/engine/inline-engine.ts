/**
 * A dataplane on this thread's event loop: for `dgram`, for `raw` (raw-socket can be loaded in one thread only), and
 * for memory ports.
 */
import { Counters, snapshotOf } from "../../dataplane/counters.ts";
import { Dataplane } from "../../dataplane/dataplane.ts";
import { EventDriver } from "../../dataplane/drive-events.ts";
import { EventRing } from "../../dataplane/event-ring.ts";
import type { DataplaneOptions, OverlayOptions } from "../../dataplane/options.ts";
import type { PortFailure } from "../../dataplane/port-failures.ts";
import type { Tap, Underlay } from "../../dataplane/ports.ts";
import type { Native } from "../../dataplane/sums.ts";
import { WokenTaps } from "../../dataplane/woken-taps.ts";
import { type Engine, ended } from "./engine.ts";
import { type Command, execute, type ReplyTo } from "./protocol.ts";

/** One more overlay on the same underlay. */
export interface InlineOverlay {
  readonly options: OverlayOptions;
  readonly tap: Tap;
}

/**
 * @param native how payloads are summed; left out, in TypeScript
 * @param more overlays beside that of `options` and `tap`
 */
export function startInlineEngine(
  options: DataplaneOptions,
  tap: Tap,
  underlay: Underlay,
  native?: Native,
  more: readonly InlineOverlay[] = [],
): Engine {
  const events = new EventRing();
  const others = more.map((one) => ({ ...one, counters: new Counters(), logs: null }));
  const ready = others.length === 0 ? null : new WokenTaps([tap, ...others.map((other) => other.tap)]);
  const counters = new Counters();
  const dataplane = new Dataplane(options, tap, underlay, counters, native, events, null, { others, ready });
  ready?.follow(dataplane.loop.blockedTaps);
  let over = false;
  let fail: (failure: PortFailure) => void;
  const failed = new Promise<PortFailure>((resolve) => {
    fail = resolve;
  });
  const driver = new EventDriver(dataplane.loop, ready ?? tap, underlay, () => {
    over = true;
    fail(dataplane.loop.failure!);
  });
  driver.start();
  return {
    driver: "event-loop",
    events: [events],
    snapshot: (overlay) => snapshotOf([counters, ...others.map((other) => other.counters)], overlay),
    failed,
    async ask<C extends Command>(command: C): Promise<ReplyTo<C>> {
      if (over) throw ended();
      // What libuv has taken from us, and has not sent, nobody can ask for.
      if (command.type === "hold") return false as ReplyTo<C>;
      return execute(dataplane, command) as ReplyTo<C>;
    },
    async stop(): Promise<void> {
      over = true;
      driver.stop();
    },
  };
}
