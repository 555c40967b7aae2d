/** Waiting for what may come true in a moment, as flanneld does: a store that is not up yet, a configuration that is not written yet. */
import { setTimeout } from "node:timers/promises";
import { StoreError } from "../../stores/store.ts";
import { fieldsOf, type Log } from "../log.ts";

/** Milliseconds between two tries (flanneld: one second). */
const RETRY_EVERY = 1000;

/** Somebody has told us to end while we waited. */
export class Interrupted extends Error {
  readonly code = "INTERRUPTED";
}

/**
 * Does `work`, again and again until it works. What keeps it from that is told once for each reason.
 * @param isPassing whether to try again after this error
 * @throws Interrupted; the error that is not passing
 */
export async function patiently<T>(
  work: () => Promise<T>,
  log: Log,
  signal: AbortSignal,
  isPassing: (error: unknown) => boolean = (error) => error instanceof StoreError && error.passing,
): Promise<T> {
  let told = "";
  for (;;) {
    if (signal.aborted) throw new Interrupted("told to end");
    try {
      return await unlessEnded(work(), signal);
    } catch (error) {
      if (!isPassing(error)) throw error;
      const text = explain(error as Error & { remedy?: string });
      if (text !== told) log.error(`${text}; it is tried again each second`, fieldsOf(error));
      told = text;
    }
    await setTimeout(RETRY_EVERY, undefined, { signal }).catch(() => {});
  }
}

/**
 * Waits for `work`, but not for longer than until we are told to end: a store may have patience of its own, and whoever
 * has told us has less. What was begun goes on unheard.
 * @throws Interrupted; what `work` is rejected with
 */
export function unlessEnded<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (): void => reject(new Interrupted("told to end"));
    if (signal.aborted) end();
    signal.addEventListener("abort", end, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener("abort", end));
  });
}

function explain({ message, remedy = "" }: Error & { remedy?: string }): string {
  return remedy === "" ? message : `${message}; ${remedy}`;
}
