/** What the commands that ask a running agent share: its socket, `-j`, and how they print. */
import type { Command } from "commander";
import { ApiClient } from "../agent/api/client.ts";
import { DEFAULT_SOCKET } from "../agent/api/schema.ts";
import { styleOf } from "./output.ts";

export interface ClientOptions {
  readonly socket?: string;
  readonly json?: boolean;
  readonly vni?: string;
}

/** Adds `--socket`; POPLIN_SOCKET says the same. */
export function withSocket(command: Command): Command {
  return command.option(
    "--socket <path>",
    `the agent's socket (or POPLIN_SOCKET; default ${DEFAULT_SOCKET})`,
  );
}

/** Adds `-j`. */
export function withJson(command: Command): Command {
  return command.option("-j, --json", "print JSON");
}

/** Adds `--vni`. */
export function withVni(command: Command): Command {
  return command.option("--vni <number>", "one overlay of an agent that has several");
}

/** Flag before environment before default. */
export function socketPath(options: Pick<ClientOptions, "socket">): string {
  return options.socket ?? (process.env.POPLIN_SOCKET || DEFAULT_SOCKET);
}

/** @param timeout milliseconds; the client's own default when left out */
export function clientFor(options: Pick<ClientOptions, "socket">, timeout?: number): ApiClient {
  return new ApiClient(socketPath(options), timeout);
}

/** Prints lines to standard output, in its style. */
export function print(lines: readonly string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** The style of standard output. */
export function stdoutStyle() {
  return styleOf(process.stdout, process.env);
}
