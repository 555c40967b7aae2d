/** Waiting for what a process of ours does in its own time. In namespaces: `test/netns/agents.ts`. */
import assert from "node:assert/strict";

/** Milliseconds after which what has not come will not come: long, for machines that are busy. */
const PATIENCE = 20_000;

/** Waits until `condition` holds. @throws AssertionError saying `what` did not happen */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE;
  while (!(await condition())) {
    assert.ok(performance.now() < end, `waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
