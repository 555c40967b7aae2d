/** `poplin status`, and what bare `poplin` prints. Exits with 1 when something that was asked for does not work. */
import { Command } from "commander";
import type { StatsAnswer } from "../agent/api/answers.ts";
import type { ApiClient } from "../agent/api/client.ts";
import { type AgentStatus, failures } from "../agent/api/status-types.ts";
import {
  type ClientOptions,
  clientFor,
  print,
  printJson,
  stdoutStyle,
  withJson,
  withSocket,
} from "./client.ts";
import { EXIT } from "./errors.ts";
import { numberOf } from "./number-of.ts";
import { renderBrief, renderStatus } from "./render-status.ts";
import { clock, type Gone, goneBy, goneLines, showAgain, type Watched } from "./show-again.ts";

interface StatusOptions extends ClientOptions {
  readonly brief?: boolean;
  readonly watch?: true | string;
}

/** Seconds between two looks, where nobody says how many. */
const EVERY = 2;

export function statusCommand(): Command {
  const command = new Command("status")
    .description(
      "Show the running agent: device, underlay, policy, peers, and what is wrong with it. " +
        "Exits with 1 when something that was asked for does not work.",
    )
    .option("-b, --brief", "one line, and the reasons when something does not work")
    .option(
      "-w, --watch [seconds]",
      `again every ${EVERY} seconds, or as many: over the whole terminal until q, elsewhere a block each time`,
    );
  withJson(withSocket(command)).action(showStatus);
  return command;
}

async function showStatus(options: StatusOptions): Promise<void> {
  const delay = options.watch === undefined ? null : delayOf(options.watch);
  // Also with --watch: an agent that is not there at all is told as by every other command.
  const view = await View.open(options);
  if (delay !== null) {
    const turns = Number.POSITIVE_INFINITY;
    return showAgain(view, { delay, turns, json: options.json === true, atOnce: true });
  }
  if (options.json) printJson(view.json());
  else print(view.lines());
  process.exitCode = failures(view.json()).length === 0 ? EXIT.ok : EXIT.failed;
}

/** @returns milliseconds. @throws CliError (usage) */
function delayOf(watch: true | string): number {
  return 1000 * (watch === true ? EVERY : numberOf("--watch", watch, 0.1, 3600));
}

interface Answer {
  readonly status: AgentStatus;
  /** Null where they are not shown, or could not be had. */
  readonly stats: StatsAnswer | null;
}

/** @throws ApiClientError */
async function ask(client: ApiClient, { json = false, brief = false }: StatusOptions): Promise<Answer> {
  const wanted = json || brief ? null : client.stats().catch(() => null);
  const [status, stats] = await Promise.all([client.status(), wanted]);
  return { status, stats };
}

/** What was answered last. */
class View implements Watched {
  readonly #client: ApiClient;
  readonly #options: StatusOptions;
  #answer: Answer;
  gone: Gone | null = null;

  private constructor(client: ApiClient, options: StatusOptions, answer: Answer) {
    this.#client = client;
    this.#options = options;
    this.#answer = answer;
  }

  /** @throws ApiClientError */
  static async open(options: StatusOptions): Promise<View> {
    const client = clientFor(options);
    return new View(client, options, await ask(client, options));
  }

  async look(): Promise<void> {
    try {
      this.#answer = await ask(this.#client, this.#options);
      this.gone = null;
    } catch (error) {
      this.gone = goneBy(error, this.gone);
    }
  }

  lines(): string[] {
    const style = stdoutStyle();
    if (this.gone !== null) return goneLines(this.gone.error.message, clock(), this.gone.since, style);
    const { status, stats } = this.#answer;
    return this.#options.brief ? renderBrief(status, style) : renderStatus(status, stats, style, Date.now());
  }

  json(): AgentStatus {
    return this.#answer.status;
  }
}
