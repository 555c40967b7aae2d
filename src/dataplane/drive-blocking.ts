/**
 * The blocking driver: for ports that have descriptors (the Linux TAP and the `batch` underlay), on a worker thread.
 * It turns the loop while packets move, and sleeps in one `poll` when none do. The thread's event loop never runs
 * meanwhile: control messages are fetched by hand when `attention` is raised, and the worker is stopped by such a
 * message. (`Worker.terminate()` would hang: a thread asleep in a system call cannot be interrupted.)
 */
import type { Loop } from "./loop.ts";
import type { Waiter } from "./ports.ts";

/** Packets in a turn up to which it may be a question or an answer. Where more come at once, nobody waits for each. */
const FEW = 4;

/**
 * Runs until `control` says stop or a port fails.
 * @param attention one shared word: the other side stores 1 and then wakes the waiter; a turn costs one atomic load
 * @param control handles what is waiting; returns false to stop. While it has the loop held, nothing else is done
 */
export function driveBlocking(
  loop: Loop,
  waiter: Waiter,
  attention: Int32Array,
  control: () => boolean,
): void {
  /** @returns false to stop */
  const heed = (): boolean => {
    for (;;) {
      Atomics.store(attention, 0, 0);
      if (!control()) return false;
      if (!loop.held) return true;
      waiter.wait(false, false, false, false, -1, false);
    }
  };
  let tap = true;
  let underlay = true;
  for (;;) {
    if (Atomics.load(attention, 0) !== 0 && !heed()) return;
    const moved = loop.turn(tap, underlay);
    if (loop.failure !== undefined) return;
    tap = underlay = true;
    if (!loop.idle) continue;
    waiter.wait(
      loop.canReadTap,
      loop.tapBlocked,
      loop.canReadUnderlay,
      loop.underlayBlocked,
      -1,
      moved <= FEW,
    );
    tap = waiter.tapReady;
    underlay = waiter.underlayReady;
  }
}
