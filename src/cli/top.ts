/** `poplin top`: what the overlays of the running agent do right now, again every second. */
import { Command } from "commander";
import { type ClientOptions, clientFor, stdoutStyle, withJson, withSocket, withVni } from "./client.ts";
import { numberOf } from "./number-of.ts";
import { onlyOverlay } from "./overlay-words.ts";
import { MOST_REMEMBERED, topLines } from "./render-top.ts";
import { clock, type Gone, goneBy, goneLines, showAgain, type Watched } from "./show-again.ts";
import { ratesJson } from "./top-json.ts";
import { Poll } from "./top-poll.ts";
import { type Rates, ratesBetween, type Sample } from "./top-rates.ts";
import { wholeOption } from "./whole-option.ts";

interface TopOptions extends ClientOptions {
  readonly delay: string;
  readonly count?: number;
  readonly once?: boolean;
}

export function topCommand(): Command {
  const command = new Command("top")
    .description(
      "Show what the overlays do right now, again every second: packets and bits in both directions, batch sizes, " +
        "drops by reason, and the agent's CPU and memory. It fills a terminal until q or Ctrl-C; elsewhere, and with -n, it " +
        "prints a block each time, and with -j a line of JSON. While no agent answers it says so, and waits.",
    )
    .argument("[words...]")
    .usage("[options] [dev <name>]")
    .option("-d, --delay <seconds>", "between two looks, 0.1 to 3600", "1")
    .option("-n, --count <number>", "end after so many", wholeOption(1, 1e9))
    .option("--once", "the same as -n 1");
  withVni(withJson(withSocket(command))).action(top);
  return command;
}

async function top(words: string[], options: TopOptions): Promise<void> {
  const delay = numberOf("--delay", options.delay, 0.1, 3600) * 1000;
  const turns = options.once ? 1 : (options.count ?? Infinity);
  const poll = new Poll(clientFor(options), onlyOverlay(words, options.vni));
  const watch = new Watch(poll, await poll.sample());
  // Only now: an agent that is not there at all is told as by every other command.
  await showAgain(watch, { delay, turns, json: options.json === true });
}

/** The answers until now, and what comes of them. */
class Watch implements Watched {
  readonly #poll: Poll;
  sample: Sample;
  history: Rates[] = [];
  /** Null where there is nothing to compare with. */
  rates: Rates | null = null;
  gone: Gone | null = null;

  constructor(poll: Poll, first: Sample) {
    this.#poll = poll;
    this.sample = first;
  }

  /** Asks once. @throws CliError when there is no such overlay any more */
  async look(): Promise<void> {
    try {
      const sample = await this.#poll.sample();
      this.rates = ratesBetween(this.sample, sample);
      // Another agent: what was remembered is not its own.
      if (this.rates === null) this.history = [];
      else this.history = [...this.history, this.rates].slice(-MOST_REMEMBERED);
      this.sample = sample;
      this.gone = null;
    } catch (error) {
      this.gone = goneBy(error, this.gone);
    }
  }

  lines(): string[] {
    const style = stdoutStyle();
    if (this.gone === null) return topLines(this, clock(), style);
    const { error, since } = this.gone;
    return [...goneLines(error.message, clock(), since, style), "rates come again when it answers"];
  }

  json(): unknown {
    return ratesJson(this);
  }
}
