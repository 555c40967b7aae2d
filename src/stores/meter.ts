/** How long the operations of a store take, and whether they fail: told to whoever counts them. */

export interface Meter {
  /**
   * @param operation a word out of few: "acquire", "txn", "get nodes"
   * @param seconds from the question to the answer
   */
  observe(operation: string, seconds: number, failed: boolean): void;
}

/** Counts nothing. */
export const NO_METER: Meter = { observe: () => {} };

/** Does it, and tells how long that took. @throws what `work` throws */
export async function metered<T>(meter: Meter, operation: string, work: () => Promise<T>): Promise<T> {
  const from = performance.now();
  let failed = true;
  try {
    const result = await work();
    failed = false;
    return result;
  } finally {
    meter.observe(operation, (performance.now() - from) / 1000, failed);
  }
}
