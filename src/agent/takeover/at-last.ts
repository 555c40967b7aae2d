/** What can be had only once the process before this one has let it go: an address that it listened on. */
import type { Log } from "../log.ts";

/** Milliseconds that the process before this one has for it: it ends as soon as it has handed over. */
const LET_GO = 10_000;
const AGAIN = 50;

/** Starts it as soon as it can be. @returns undefined where it cannot in time, which is said in the log */
export async function atLast<T>(start: () => Promise<T>, log: Log): Promise<T | undefined> {
  const deadline = performance.now() + LET_GO;
  for (;;) {
    try {
      return await start();
    } catch (error) {
      if (performance.now() > deadline) {
        log.error((error as Error).message);
        return undefined;
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
  }
}
