/**
 * `poplin agent`: the agent as a process in the foreground. SIGHUP reloads the configuration, SIGUSR2 starts
 * another agent that takes over, SIGTERM and SIGINT end this one; a second one of them ends it without waiting.
 */
import { Agent, type Loaded } from "./agent.ts";
import { type ConfigSources, loadConfig, type Profile } from "./config/load.ts";
import { fieldsOf, Log } from "./log.ts";
import { releaseGarbage } from "./memory.ts";
import { startService } from "./systemd/asked.ts";
import type { Service } from "./systemd/service.ts";
import { successorOf } from "./takeover/successor.ts";

export interface RunOptions {
  /** The configuration file, null without one. */
  readonly file: string | null;
  /** Settings from the command line, as commander parsed them. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: NodeJS.ProcessEnv;
  /** Whose defaults count; left out: a node agent's. */
  readonly profile?: Profile;
  /** In the place of the agent that runs, without a break; where none runs, an ordinary start. */
  readonly takeOver?: boolean;
}

/**
 * Runs the agent until a signal or a failure ends it.
 * @returns the exit code: 0 after a signal, and when another agent has taken over; 1 after a failure
 * @throws whatever kept it from starting: ConfigError, SystemCallError, HostError, SocketError, TakeOverError
 */
export async function runAgent({ file, takeOver = false, ...sources }: RunOptions): Promise<number> {
  const log = new Log("info");
  // Whoever reads our log may go away, or its disk be full: that is no reason to stop forwarding.
  process.stderr.on("error", () => {});
  let service: Service | null = null;
  const stopped = signalled(["SIGTERM", "SIGINT"]);
  let agent: Agent | undefined;
  let changed = false;
  let ending = false;
  const reload = (): void => {
    changed = true;
    if (ending || agent === undefined) return;
    const reloaded = service?.reloading();
    void agent.reload().finally(reloaded);
  };
  // Before the start: a SIGHUP during it must not end the process, and its change may have come too late to be read.
  process.on("SIGHUP", reload);
  process.on("SIGUSR2", successorOf({ ...sources.env }, log));
  try {
    service = await startService(sources.env, log);
    agent = await Agent.start(() => load({ path: file, ...sources }), log, null, takeOver);
    service?.attach(agent.view);
    if (changed) reload();
    void releaseGarbage();
    const end = await Promise.race([stopped, agent.failed, agent.replaced]);
    ending = true; // a SIGHUP from now on is too late, and still no reason to die of it
    if (typeof end === "string") log.info(`${end}: stopping`);
    else if (typeof end !== "number") log.error(end.message, fieldsOf(end));
    if (typeof end === "number") service?.replaced(end);
    else service?.stopping();
    await agent.stop();
    return end instanceof Error ? 1 : 0;
  } finally {
    service?.close();
    log.close();
  }
}

/** One underlay. */
function load(sources: ConfigSources): Loaded {
  const { config, warnings } = loadConfig(sources);
  return { configs: [config], warnings };
}

/** Resolves with the first of these signals; the next one then ends the process as if nobody listened. */
export function signalled(signals: readonly NodeJS.Signals[]): Promise<string> {
  return new Promise((resolve) => {
    const heard = (signal: NodeJS.Signals): void => {
      for (const each of signals) process.off(each, heard);
      resolve(signal);
    };
    for (const each of signals) process.on(each, heard);
  });
}
