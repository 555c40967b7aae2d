/** How an agent that is to take over begins: from the one that runs, or as ever where none does. */
import type { AgentConfig } from "../config/load.ts";
import type { Log } from "../log.ts";
import { TakeOverError } from "./errors.ts";
import { Taking } from "./take.ts";

/**
 * Starts an agent in the place of the one that runs.
 * @param start does it; with null an ordinary start
 * @throws TakeOverError, and what `start` throws
 */
export async function beginWith<T>(
  configs: readonly [AgentConfig, ...AgentConfig[]],
  log: Log,
  start: (taking: Taking | null) => Promise<T>,
): Promise<T> {
  let taking: Taking | null = null;
  try {
    taking = await Taking.begin(configs[0].socket, configs, log);
    if (taking === null) log.info("there is no agent to take over from: this is an ordinary start");
    return await start(taking);
  } catch (error) {
    taking?.abandon();
    if (!(error instanceof TakeOverError) || error.code !== "TAKE_OVER_LOST") throw error;
    log.warn(`${error.message} before it had handed over: this is an ordinary start`);
    return start(null);
  }
}
