/** What systemd has put into our environment: whether, where and how often it wants to hear from us (sd_notify(3)). */
import type { Log } from "../log.ts";
import type { Asked } from "./notify.ts";
import type { Service } from "./service.ts";

/**
 * Takes what systemd has put into the environment out of it: none of it is for our children, whose words would be taken
 * for ours.
 * @returns null where nobody wants to hear anything
 */
export function takeAsked(env: NodeJS.ProcessEnv, pid = process.pid): Asked | null {
  const { NOTIFY_SOCKET: socket = "", WATCHDOG_USEC, WATCHDOG_PID } = env;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete env[name];
  if (!/^[/@]./.test(socket)) return null;
  const microseconds = /^\d{1,15}$/.test(WATCHDOG_USEC ?? "") ? Number(WATCHDOG_USEC) : 0;
  const isOurs = WATCHDOG_PID === undefined || WATCHDOG_PID === String(pid);
  return { socket, watchdog: microseconds > 0 && isOurs ? microseconds / 1000 : null };
}

/**
 * Begins to tell systemd, where it has asked for it; what speaks to it is loaded only then.
 * @param env of the process, out of which systemd's words are taken
 */
export async function startService(env: NodeJS.ProcessEnv, log: Log): Promise<Service | null> {
  const asked = takeAsked(env);
  return asked === null ? null : (await import("./service.ts")).Service.of(asked, log);
}
