/**
 * `poplin monitor`: drops as they happen, each with its reason and the packet it was, in the way of `cilium monitor` and
 * `hubble observe`. The agent tells everything about the topics; what was not asked for is left out here.
 */
import { Command, InvalidArgumentError } from "commander";
import type { AgentEvent } from "../agent/api/agent-view.ts";
import { DROP_REASONS, type DropReason } from "../dataplane/drops.ts";
import { formatMacKey, parseMac } from "../wire/bytes.ts";
import { type ClientOptions, clientFor, print, stdoutStyle, withJson, withSocket } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { isDropped } from "./events.ts";
import { styleOf } from "./output.ts";
import { MonitorTotals, monitorLines, totalsLines } from "./render-monitor.ts";
import { wholeOption } from "./whole-option.ts";

/** What is shown: of each the events that have it, and null for all. */
export interface MonitorFilter {
  readonly vni: number | null;
  readonly mac: string | null;
  readonly reason: DropReason | null;
}

interface MonitorOptions extends Omit<ClientOptions, "vni"> {
  readonly drops?: boolean;
  readonly vni?: number;
  readonly mac?: string;
  readonly reason?: DropReason;
  readonly count?: number;
}

export function monitorCommand(): Command {
  const command = new Command("monitor")
    .description(
      "Print what goes wrong from now on, until Ctrl-C or the agent's end: each drop with its reason and the packet it " +
        "was, and misses, where the settings l2miss and l3miss are on. Of packets that are alike, one in half a second " +
        "is shown; the others are counted. With -j each line is a JSON object.",
    )
    .option("--drops", "drops only")
    .option(
      "--vni <number>",
      "of one VNI: the overlay's, or the one that a packet's header names",
      wholeOption(0, 2 ** 24 - 1),
    )
    .option("--mac <mac>", "packets with this inner source or destination, and misses of it", macOption)
    .option("--reason <name>", "drops for one reason, as in `poplin stats`", reasonOption)
    .option("-c, --count <n>", "end after so many", wholeOption(1, 1e9))
    .addHelpText("after", EXAMPLES);
  return withJson(withSocket(command)).action(monitor);
}

const EXAMPLES = `
Examples:
  poplin monitor --drops
  poplin monitor --reason UNKNOWN_VTEP
  poplin monitor -j | jq 'select(.type == "drop") | .remote.address'`;

async function monitor(options: MonitorOptions): Promise<void> {
  const { json = false, drops = false } = options;
  const filter = { vni: options.vni ?? null, mac: options.mac ?? null, reason: options.reason ?? null };
  const topics = drops || filter.reason !== null ? (["drops"] as const) : (["misses", "drops"] as const);
  const ended = new AbortController();
  const stop = (): void => ended.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  const events = await clientFor(options).events(ended.signal, topics);
  if (!json) hint(`watching for ${topics.join(" and ")}; Ctrl-C ends it`);
  const totals = new MonitorTotals();
  let left = options.count ?? Number.POSITIVE_INFINITY;
  for await (const event of events) {
    if (!isMeant(event, filter)) continue;
    totals.add(event);
    print(json ? [JSON.stringify(event)] : monitorLines(event, stdoutStyle(), process.stdout.isTTY));
    if (--left > 0) continue;
    stop();
    break;
  }
  // Beside the answers, not among them: whoever pipes them wants lines of events.
  if (!json)
    process.stderr.write(`${totalsLines(totals, styleOf(process.stderr, process.env)).join("\n")}\n`);
  if (ended.signal.aborted) return;
  throw new CliError(EXIT.notReachable, "the agent has ended", "start it again, and this command");
}

/** Whether an event is one of those that were asked for. What is about no packet has no MAC. */
export function isMeant(event: AgentEvent, { vni, mac, reason }: MonitorFilter): boolean {
  if (event.type === "lost") return true;
  const named = event.type === "drop" ? event.header?.vni : undefined;
  if (vni !== null && event.vni !== vni && named !== vni) return false;
  if (reason !== null && !(isDropped(event) && event.reason === reason)) return false;
  return mac === null || macsOf(event).includes(mac);
}

function macsOf(event: AgentEvent): string[] {
  if (event.type === "l2miss") return [event.mac];
  if (event.type !== "drop" || event.frame === null) return [];
  return [event.frame.source, event.frame.destination];
}

/** For a person who looks: that the silence is not a hang. */
function hint(text: string): void {
  if (process.stderr.isTTY && process.stdout.isTTY) process.stderr.write(`${text}\n`);
}

/** @throws InvalidArgumentError for a text that is no MAC */
export function macOption(text: string): string {
  try {
    const { hi, lo } = parseMac(text);
    return formatMacKey(hi, lo);
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}; write it as aa:bb:cc:dd:ee:ff.`);
  }
}

/** @throws InvalidArgumentError for a text that is no reason */
export function reasonOption(text: string): DropReason {
  const found = DROP_REASONS.find((name) => name === text.toUpperCase());
  if (found !== undefined) return found;
  throw new InvalidArgumentError(`The reasons are ${DROP_REASONS.join(", ")}.`);
}
