/**
 * A take-over that the running agent begins itself (SIGUSR2): it starts its own command line once more, with
 * `--take-over`. The new agent is its child, and so has the same user, capabilities, sandbox and control group: systemd
 * follows a service to another process within its group only. By then the program may be of another version.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Log } from "../log.ts";

const FLAG = "--take-over";

/**
 * The handler of the signal. One successor at a time; where one ends without having taken over, this agent goes on, and
 * the next signal starts another.
 * @param env of the process, as it was before systemd's words were taken out of it
 */
export function successorOf(env: NodeJS.ProcessEnv, log: Log): () => void {
  let child: ChildProcess | undefined;
  const ended = (how: string): void => {
    child = undefined;
    log.warn(`the agent that was to take over has ended (${how}): this one goes on`);
  };
  return () => {
    if (child !== undefined) return log.warn(`pid ${child.pid} is to take over already`);
    // The first process of a container takes the container with it.
    if (process.pid === 1)
      return log.warn("SIGUSR2: not as a container's first process: start a new container");
    const started = spawn(process.execPath, commandLine(), {
      stdio: ["ignore", "inherit", "inherit"],
      env: forAnother(env),
    });
    child = started;
    // Or we would wait for its end with ours.
    started.unref();
    started.once("error", ({ message }) => ended(message));
    started.once("exit", (code, signal) => ended(signal ?? `exit code ${code}`));
    log.info(`SIGUSR2: pid ${started.pid} is to take over`);
  };
}

/** Our own. By way of the name that we were called by: what a link of that name leads to may be another version now. */
function commandLine(): string[] {
  const words = process.argv.slice(1).filter((word) => word !== FLAG);
  return [...process.execArgv, ...words, FLAG];
}

/** A watchdog that is ours is its own as soon as systemd follows it. */
function forAnother(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { WATCHDOG_PID: owner, ...all } = env;
  return owner === undefined || owner === String(process.pid) ? all : env;
}
