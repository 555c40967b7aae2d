/** Processes of tunnels: started in a bed's host, with a log in the lab's folder, gone with the lab. */
import { execFile } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { promisify } from "node:util";

const READY = 15_000;

/**
 * Starts one and waits until its log says that it is ready.
 * @param ready a pattern, or null for "at once"
 * @returns the child
 * @throws Error with the end of its log when it ends or takes too long
 */
export async function startProcess(bed, side, command, args, ready, options = {}) {
  const file = bed.lab.file(`${bed.name}-${side}-${basename(command)}.log`);
  const log = openSync(file, "a");
  const child = bed[side].spawn(command, args, { detached: true, stdio: ["ignore", log, log], ...options });
  closeSync(log);
  child.unref();
  const said = () => readFileSync(file, "utf8");
  const deadline = Date.now() + READY;
  while (ready !== null && !ready.test(said())) {
    const ended = child.exitCode !== null || child.signalCode !== null;
    if (ended || Date.now() > deadline) {
      const last = said().trim().split("\n").slice(-4).join("\n");
      throw new Error(`${basename(command)} ${ended ? "ended" : "was not ready in time"}\n${last}`);
    }
    await pause(20);
  }
  return child;
}

/** Waits until `probe` holds. @throws Error naming `what` */
export async function until(what, probe) {
  const deadline = Date.now() + READY;
  while (!(await probe())) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${READY / 1000} s`);
    await pause(20);
  }
}

/** First line that a program prints about itself. */
export async function version(command, args) {
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args);
    return (stdout || stderr).trim().split("\n")[0];
  } catch (error) {
    return (error.stdout || error.stderr || error.message).trim().split("\n")[0];
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
