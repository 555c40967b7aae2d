/** A store is sheltered from the mistakes of those whom it tells. */
import type { Watcher } from "./store.ts";

/**
 * What the watcher throws is a mistake of ours. It is thrown again where nobody catches it, which ends the process; were it
 * thrown where the store reads, it would look like the store's trouble, or end the watch without a word.
 * @returns a watcher that never throws
 */
export function sheltered(watcher: Watcher): Watcher {
  return {
    changed: (changes) => tell(() => watcher.changed(changes)),
    bad: (key, reason) => tell(() => watcher.bad(key, reason)),
    heard: (trouble) => tell(() => watcher.heard(trouble)),
  };
}

function tell(work: () => void): void {
  try {
    work();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
