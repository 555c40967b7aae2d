/** `poplin wait --ready`: for scripts that go on once the overlay forwards. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { type ApiClient, ApiClientError } from "../agent/api/client.ts";
import { type ClientOptions, clientFor, print, printJson, withJson, withSocket } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { numberOf } from "./number-of.ts";

/** Milliseconds between two looks, and that the agent has for an answer: a probe takes some. */
const AGAIN = 100;
const ANSWER = 5000;
const LONGEST = 86_400;

interface WaitOptions extends ClientOptions {
  readonly timeout: string;
}

export function waitCommand(): Command {
  const command = new Command("wait")
    .description(
      "Wait until the agent is ready, as its page /readyz has it: a frame of its own has come back through encap and " +
        "decap of every overlay; of a flannel node its lease is held, too, and subnet.env written. An agent that does " +
        "not run yet is waited for. Exits with 5 when the time is up, and says what is missing.",
    )
    .option("--ready", "what is waited for: this, also where it is left out")
    .option("-t, --timeout <seconds>", `how long, up to ${LONGEST}`, "60");
  withJson(withSocket(command)).action(wait);
  return command;
}

/** @throws CliError (timeout); ApiClientError where waiting does not help */
async function wait(options: WaitOptions): Promise<void> {
  const limit = numberOf("--timeout", options.timeout, 0, LONGEST);
  const begun = performance.now();
  const client = clientFor(options, ANSWER);
  for (;;) {
    const reasons = await missing(client);
    const seconds = (performance.now() - begun) / 1000;
    if (reasons.length === 0) {
      if (options.json) printJson({ ready: true, seconds });
      else print(["the agent is ready"]);
      return;
    }
    if (seconds >= limit) {
      const message = `the agent is not ready after ${limit} s: ${reasons.join("; ")}`;
      throw new CliError(EXIT.timeout, message, "its log says what it waits for; `--timeout` waits longer");
    }
    await sleep(Math.min(AGAIN, limit * 1000 - seconds * 1000));
  }
}

/** @returns why it is not ready, which may change by itself; nothing where it is */
async function missing(client: ApiClient): Promise<readonly string[]> {
  try {
    return await client.notReady();
  } catch (error) {
    const { code, message } = error as ApiClientError;
    if (error instanceof ApiClientError && (code === "AGENT_NOT_RUNNING" || code === "TIMEOUT"))
      return [message];
    throw error;
  }
}
