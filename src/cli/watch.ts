/**
 * `poplin watch`: the packets of a running agent as they pass. On a terminal a screen with the latest, drops first, of
 * which any can be explained; elsewhere a line each, JSON, or pcapng. Of many the agent tells a sample, and how many
 * more there were.
 */
import { Command } from "commander";
import type { PacketNews } from "../agent/api/agent-view.ts";
import { parseAddress } from "../control/address.ts";
import { nowNanoseconds } from "../io/pcapng.ts";
import { type ClientOptions, clientFor, print, stdoutStyle, withJson, withSocket } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { macOption, reasonOption } from "./monitor.ts";
import { paint, plural, timeOfDay } from "./output.ts";
import { canBeScreen, Screen } from "./screen.ts";
import { clock } from "./show-again.ts";
import { SyncOutput } from "./sync-output.ts";
import { TwoSides, wiresharkCommand } from "./two-sides.ts";
import { WatchView } from "./watch-view.ts";
import { Watched, type WatchFilter } from "./watched.ts";
import { wholeOption } from "./whole-option.ts";

interface WatchOptions extends Omit<ClientOptions, "vni"> {
  readonly drops?: boolean;
  readonly vni?: number;
  readonly mac?: string;
  readonly address?: string;
  readonly reason?: WatchFilter["reason"];
  readonly count?: number;
  readonly write?: string;
}

export function watchCommand(): Command {
  const command = new Command("watch")
    .description(
      "Watch the packets of the running agent: a screen with the latest, drops first, and Enter explains the selected one; " +
        "elsewhere a line each. Where more than some 1,900 pass in a second it is a sample, which no packet waits for, and it says how many there were more.",
    )
    .option("--drops", "dropped ones only")
    .option(
      "--vni <number>",
      "of one VNI: the overlay's, or the one that the header names",
      wholeOption(0, 2 ** 24 - 1),
    )
    .option("--mac <mac>", "with this MAC", macOption)
    .option("--address <ip>", "with this IP address, outside or inside", parseAddress)
    .option("--reason <name>", "dropped for one reason, as in `poplin stats`", reasonOption)
    .option("-c, --count <n>", "end after so many", wholeOption(1, 1e9))
    .option(
      "-w, --write <file>",
      "write pcapng, both sides of the tunnel, to a file or to standard output (-)",
    )
    .addHelpText("after", EXAMPLES);
  return withJson(withSocket(command)).action(watch);
}

const EXAMPLES = `
Examples:
  poplin watch
  poplin watch --drops --vni 1
  poplin watch --address 10.244.2.5 -c 10
  poplin watch -w overlay.pcapng`;

/** Where packets go. */
interface Sink {
  readonly isScreen?: boolean;
  packet(watched: Watched): void;
  missed(passed: number, dropped: number): void;
  end(): void;
}

async function watch(options: WatchOptions): Promise<void> {
  const filter: WatchFilter = {
    ...{ vni: options.vni ?? null, mac: options.mac ?? null, address: options.address ?? null },
    ...{ reason: options.reason ?? null, dropsOnly: options.drops === true },
  };
  if (options.write === "-" && process.stdout.isTTY) {
    const remedy = "pipe it: poplin watch -w - | wireshark -k -i -";
    throw new CliError(EXIT.usage, "pcapng is nothing for a terminal", remedy);
  }
  const client = clientFor(options);
  const { pid } = await client.status();
  const ended = new AbortController();
  const stop = (): void => ended.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const sink = sinkFor(options, pid, stop);
  try {
    const packets = await client.packets(ended.signal);
    if (!sink.isScreen) process.stderr.write(`watching the packets of agent ${pid}, Ctrl-C ends it\n`);
    const isEnough = await follow(packets, filter, options.count ?? Number.POSITIVE_INFINITY, sink);
    if (!isEnough && !ended.signal.aborted)
      throw new CliError(EXIT.notReachable, "the agent has ended", "start it again, and this command");
  } finally {
    stop();
    sink.end();
  }
}

/** Until somebody ends it, or the agent does. @returns true where it has seen enough before */
async function follow(
  packets: AsyncIterable<PacketNews>,
  filter: WatchFilter,
  most: number,
  sink: Sink,
): Promise<boolean> {
  let left = most;
  for await (const news of packets) {
    if (news.type === "unseen") sink.missed(news.passed, news.dropped);
    else {
      const watched = new Watched(news);
      if (!watched.isMeant(filter)) continue;
      sink.packet(watched);
      if (--left === 0) return true;
    }
  }
  return false;
}

function sinkFor(options: WatchOptions, pid: number, stop: () => void): Sink {
  if (options.write !== undefined) return pcapngSink(options.write, stop);
  if (options.json === true) return jsonSink();
  return canBeScreen(process.stdout, process.env) && options.count === undefined
    ? screenSink(pid, stop)
    : lineSink();
}

/** How many there were, for standard error: beside the packets, not among them. */
class Totals {
  shown = 0;
  passed = 0;
  dropped = 0;

  missed(passed: number, dropped: number): void {
    this.passed += passed;
    this.dropped += dropped;
  }

  say(): void {
    const more =
      this.passed + this.dropped === 0
        ? "none left out"
        : `${this.passed} more passed and ${this.dropped} were dropped unseen`;
    process.stderr.write(`${plural(this.shown, "packet")} shown, ${more}\n`);
  }
}

function lineSink(): Sink {
  const totals = new Totals();
  const style = stdoutStyle();
  return {
    packet(watched) {
      totals.shown++;
      const { at, direction, drop } = watched.event;
      const why = drop === null ? "" : `${paint(style, "red", drop.reason)} `;
      print([`${paint(style, "dim", timeOfDay(new Date(at)))} ${direction} ${why}${watched.summary}`]);
    },
    missed: (passed, dropped) => totals.missed(passed, dropped),
    end: () => totals.say(),
  };
}

function jsonSink(): Sink {
  return {
    packet: ({ event, summary }) => print([JSON.stringify({ ...event, summary })]),
    missed: (passed, dropped) => print([JSON.stringify({ type: "unseen", passed, dropped })]),
    end() {},
  };
}

/** @param gone called when nobody reads it any more */
function pcapngSink(file: string, gone: () => void): Sink {
  const output = new SyncOutput(file);
  const totals = new Totals();
  let port = 8472;
  const write = (chunk: Uint8Array): void => {
    if (!output.write(chunk)) gone();
  };
  const sides = new TwoSides(write, "poplin watch");
  return {
    packet(watched) {
      totals.shown++;
      const { event, explanation, layer, dropWords } = watched;
      const fate = event.drop === null ? [] : [`dropped, ${event.drop.reason}: ${dropWords}`];
      const outer = watched.bytes.length - event.bytes.length / 2;
      const notes = {
        direction: event.direction === "rx" ? "in" : "out",
        originalLength: outer + event.length,
      } as const;
      port = (event.direction === "tx" ? event.remote : event.local)?.port ?? port;
      const time = nowNanoseconds();
      if (layer === "ip") sides.packet(time, explanation, layer, fate, notes);
      else if (layer === "ethernet") sides.frame(time, explanation, fate, notes);
      else sides.payload(time, explanation, fate);
    },
    missed: (passed, dropped) => totals.missed(passed, dropped),
    end() {
      output.close();
      totals.say();
      if (file !== "-") process.stderr.write(`written; ${wiresharkCommand(file, port)}\n`);
    },
  };
}

/** Milliseconds between two pictures. */
const DRAW_EVERY = 200;

function screenSink(pid: number, stop: () => void): Sink {
  const view = new WatchView();
  const draw = (): void =>
    screen.show(() => view.lines(`agent ${pid}  ${clock()}`, stdoutStyle(), screen.rows));
  const screen = new Screen(process.stdout, process.stdin, stop, (key) => {
    view.key(key);
    draw();
  });
  screen.open();
  draw();
  const timer = setInterval(draw, DRAW_EVERY);
  return {
    isScreen: true,
    packet: (watched) => view.add(watched, performance.now() / 1000, timeOfDay(new Date(watched.event.at))),
    missed: (passed, dropped) => view.miss(passed, dropped),
    end() {
      clearInterval(timer);
      screen.close();
    },
  };
}
