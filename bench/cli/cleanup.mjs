/**
 * What has to be undone in every outcome: at the end, on an error, on Ctrl-C. Labs look after themselves
 * (`src/lab/lab.ts`); this is for the rest. Everything here is synchronous, because nothing else works in a handler.
 */

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];
const jobs = new Set();

/** Runs `undo` when `work` is over, however it ends. */
export async function undoing(undo, work) {
  if (jobs.size === 0) for (const signal of SIGNALS) process.on(signal, interrupted);
  jobs.add(undo);
  try {
    return await work();
  } finally {
    jobs.delete(undo);
    if (jobs.size === 0) for (const signal of SIGNALS) process.off(signal, interrupted);
    undo();
  }
}

/** Ends by the same signal in the end, so that whoever waits sees an interruption. A lab has a handler, too. */
function interrupted(signal) {
  for (const undo of jobs) undo();
  jobs.clear();
  for (const name of SIGNALS) process.off(name, interrupted);
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}
