/** Keeps two set-ups of one tree apart. The lock names its owner by pid and start time, so a dead owner's is nobody's. */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT, SetupError, say } from "./run.mjs";

const LOCK = join(ROOT, ".setup.lock");
const POLL_MS = 200;

/** Runs `work` while no other set-up of this tree runs. */
export async function withLock(work) {
  await acquire();
  const release = () => rmSync(LOCK, { force: true });
  process.on("exit", release);
  try {
    await work();
  } finally {
    process.off("exit", release);
    release();
  }
}

async function acquire() {
  const mine = `${LOCK}.${process.pid}`;
  let told = false;
  for (;;) {
    // Written whole under another name first: a lock that can be seen always says whose it is.
    writeOrExplain(mine);
    try {
      linkSync(mine, LOCK);
      return;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    } finally {
      rmSync(mine, { force: true });
    }
    const owner = read(LOCK);
    if (owner === undefined) continue;
    if (alive(owner)) {
      if (!told) say(`another set-up of this tree is running (pid ${owner.split(" ")[0]}); waiting for it`);
      told = true;
      await new Promise((done) => setTimeout(done, POLL_MS));
    } else {
      evict(owner);
    }
  }
}

/** Takes a dead owner's lock away; puts it back if it has become somebody else's between our look and our grip. */
function evict(owner) {
  const grip = `${LOCK}.dead.${process.pid}`;
  try {
    renameSync(LOCK, grip);
    if (read(grip) !== owner) linkSync(grip, LOCK);
  } catch (error) {
    if (error.code !== "ENOENT" && error.code !== "EEXIST") throw error;
  } finally {
    rmSync(grip, { force: true });
  }
}

function writeOrExplain(path) {
  try {
    writeFileSync(path, `${process.pid} ${startTime(process.pid) ?? ""}`);
  } catch (error) {
    throw new SetupError(
      `cannot write to ${ROOT} (${error.code}), and something has to be installed there.`,
      "Run the command once as the owner of that folder.",
    );
  }
}

function alive(owner) {
  const [pid, start] = owner.split(" ");
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if (error.code === "ESRCH") return false;
  }
  return !start || startTime(pid) === start;
}

/** When the process started: field 22 of /proc/<pid>/stat, in clock ticks since boot (proc(5)). */
function startTime(pid) {
  // The command's name, field 2, is in parentheses and may hold spaces and parentheses of its own.
  return read(`/proc/${pid}/stat`)?.split(") ").at(-1).split(" ")[19];
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
