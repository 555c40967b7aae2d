/**
 * How a line of the log is written.
 *
 *   pretty    2026-11-20T08:00:00.000Z info  forwarding VNI 1 …      for people, on a terminal and in `kubectl logs`
 *   journal   <6>forwarding VNI 1 …                                   journald keeps the time itself, and takes the level
 *                                                                     from `<6>` (sd-daemon(3)): `journalctl -p warning` works
 *   json      {"level":"info","time":"…","msg":"…","code":…}          for collectors, by pino
 *
 * `auto` is `journal` where standard error is the journal's, and `pretty` everywhere else: what stands beside an agent in
 * `kubectl logs` (kubelet, flanneld, CoreDNS) writes text, too. JSON is asked for; only then is pino loaded, which costs
 * 17 ms of the start and 8 MB.
 */
import { fstatSync } from "node:fs";
import { createRequire } from "node:module";

export const LEVELS = ["error", "warn", "info", "debug"] as const;
export type Level = (typeof LEVELS)[number];

export const LOG_FORMATS = ["auto", "pretty", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** What a line says beside its text, for machines. */
export interface LogFields {
  /** Of an error: its stable code ("HOST_OWN_ADDRESS"), and what to do. */
  readonly code?: string;
  readonly remedy?: string;
  /** The device that it is about. */
  readonly device?: string;
  /** The peer that it is about: its public IP. */
  readonly peer?: string;
}

/** @returns the line, with its newline */
export type Formatter = (level: Level, message: string, fields: LogFields) => string;

/** Severities of syslog. */
const PRIORITY: Readonly<Record<Level, number>> = { error: 3, warn: 4, info: 6, debug: 7 };

/** A message of several lines is indented, so that each line with a time is one event. */
export const pretty: Formatter = (level, message) => {
  const text = message.replaceAll("\n", "\n  ");
  return `${new Date().toISOString()} ${level.padEnd(5)} ${text}\n`;
};

/** The journal makes an entry of each line: so each has its priority. */
export const journal: Formatter = (level, message) => {
  const priority = `<${PRIORITY[level]}>`;
  return `${priority}${message.replaceAll("\n", `\n${priority}  `)}\n`;
};

/** A line of JSON for each event. pino is loaded at once: a line that waits for it might be the last one. */
export function json(): Formatter {
  const { pino } = createRequire(import.meta.url)("pino") as typeof import("pino");
  let line = "";
  const logger = pino(
    {
      level: "debug",
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write: (text: string) => {
        line = text;
      },
    },
  );
  return (level, message, fields) => {
    logger[level](fields, message);
    return line;
  };
}

/** The formatter of a setting. @param env of the process: systemd names the journal's socket in it */
export function formatterOf(format: LogFormat, env: NodeJS.ProcessEnv = process.env): Formatter {
  if (format === "json") return json();
  return format === "auto" && isJournal(env.JOURNAL_STREAM) ? journal : pretty;
}

/** Whether standard error is the stream that systemd has connected to the journal: `dev:inode` (systemd.exec(5)). */
function isJournal(stream: string | undefined): boolean {
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(2);
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

/** What an error says for machines: its code and its remedy, where it has them. */
export function fieldsOf(error: unknown): LogFields {
  const { code, remedy } = (error ?? {}) as { code?: unknown; remedy?: unknown };
  return {
    ...(typeof code === "string" ? { code } : {}),
    ...(typeof remedy === "string" && remedy !== "" ? { remedy } : {}),
  };
}
