/**
 * `poplin walk`: one ping followed from pod to pod through a throw-away lab, or one that was left up, and beside it the kernel's
 * datagram of the same frame. What it shows has happened: the bytes are from the interfaces, the reasons from the tables.
 */
import { Command, Option } from "commander";
import { Cluster } from "../lab/cluster.ts";
import { Lab } from "../lab/lab.ts";
import { VXLAN_PORT } from "../lab/node.ts";
import { recordWalk } from "../lab/walk/record.ts";
import { kernelTwin } from "../lab/walk/twin.ts";
import { type Walker, walkersOf } from "../lab/walk/walker.ts";
import { type Hop, twinDifferences } from "../teach/walk.ts";
import { walkToJson } from "../teach/walk-json.ts";
import { twinLines, walkLines } from "../teach/walk-text.ts";
import { print, stdoutStyle } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { keptLab } from "./kept-lab.ts";
import { wrap } from "./output.ts";
import { wiresharkCommand } from "./two-sides.ts";
import { writeWalk } from "./walk-pcapng.ts";
import { wholeOption } from "./whole-option.ts";

interface WalkOptions {
  readonly from: Walker["kind"];
  readonly size: number;
  readonly lab?: string | true;
  readonly json?: boolean;
  readonly write?: string;
}

/** Bytes of data in which what the ping is known by stands whole, behind the 16 of ping's own time. */
const LEAST_DATA = 24;
/** Bytes of data that fit into the overlay's MTU of 1450, behind IPv4 and ICMP. */
const MOST_DATA = 1422;

export function walkCommand(): Command {
  return new Command("walk")
    .description(
      "Follow one ping from pod to pod: at each interface the bytes, what has changed, the MTU, the table row that sent it on, " +
        "and the time; and beside it what the kernel's VXLAN makes of the same frame. In a throw-away lab; needs root.",
    )
    .addOption(
      new Option("--from <kind>", "whose node sends it").choices(["poplin", "kernel"]).default("poplin"),
    )
    .option("--size <bytes>", "of data", wholeOption(LEAST_DATA, MOST_DATA), 56)
    .option("--lab [id]", "through the lab that `poplin demo --keep` left up")
    .option("-w, --write <file>", "also write pcapng: each interface, with what happened there as a comment")
    .option("-j, --json", "as JSON, which the page of `poplin learn --web` takes")
    .action(walk);
}

async function walk(options: WalkOptions): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new CliError(EXIT.permission, "to follow a packet needs root", "run it with sudo");
  if (options.write === "-")
    throw new CliError(EXIT.usage, "the text and pcapng are two", "give -w the name of a file");
  const cluster = options.lab === undefined ? await throwAway(options.from) : null;
  // Of its own: the kernel's twin has a host, also where a lab that was left up is walked through.
  const lab = Lab.create();
  try {
    const walkers = walkersOf(cluster?.lab.id ?? keptLab(options.lab!).id);
    await show(walkers, lab, options);
  } finally {
    cluster?.destroy();
    lab.destroy();
  }
}

function throwAway(from: Walker["kind"]): Promise<Cluster> {
  const nodes = [
    { name: "node-a", kind: from },
    { name: "node-b", kind: "poplin" },
  ] as const;
  return Cluster.start({ nodes });
}

async function show(walkers: readonly Walker[], lab: Lab, options: WalkOptions): Promise<void> {
  const { from, size, json, write } = options;
  const a = walkers.find(({ kind }) => kind === from);
  const b = walkers.find((one) => one !== a && one.kind === "poplin");
  if (a === undefined || b === undefined)
    throw new CliError(EXIT.failed, `that lab has no two nodes of which one is ${from}'s`);
  const hops = await recordWalk(a, b, size);
  const datagram = hops.find(
    ({ direction, device, host }) => host === a.host.name && device === "eth0" && direction === "out",
  )!;
  if (write !== undefined) writeWalk(write, hops);
  const twin = from === "poplin" ? await kernelTwin(lab, datagram.bytes, a.mtu) : null;
  print(
    json
      ? [JSON.stringify(walkToJson({ hops, twin }), null, 2)]
      : [...wrap(title(hops, options.lab), stdoutStyle().width), "", ...textOf(hops, datagram, twin)],
  );
  if (write !== undefined) process.stderr.write(`written; ${wiresharkCommand(write, VXLAN_PORT)}\n`);
}

function title(hops: readonly Hop[], lab: WalkOptions["lab"]): string {
  const through = lab === undefined ? "a throw-away lab, which is gone now" : "the lab that was left up";
  return `One ping from ${hops[0]!.host} to ${hops.at(-1)!.host}, through ${through}; where its bytes change they are shown`;
}

function textOf(hops: readonly Hop[], datagram: Hop, twin: Uint8Array | null): string[] {
  const lines = walkLines(hops, stdoutStyle().color);
  if (twin === null) return lines;
  return [
    ...lines,
    "",
    "The kernel's VXLAN, given the same frame:",
    ...twinLines(twinDifferences(twin, datagram.bytes)),
  ];
}
