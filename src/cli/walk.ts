/**
 * `poplin walk`: one ping followed from pod to pod through a throw-away lab, and beside it the kernel's datagram of the same
 * frame. What it shows has happened: the bytes are from the interfaces, the reasons from the tables.
 */
import { Command, Option } from "commander";
import { Cluster } from "../lab/cluster.ts";
import { recordWalk } from "../lab/walk/record.ts";
import { kernelTwin } from "../lab/walk/twin.ts";
import { type Hop, twinDifferences } from "../teach/walk.ts";
import { walkToJson } from "../teach/walk-json.ts";
import { twinLines, walkLines } from "../teach/walk-text.ts";
import { stdoutStyle } from "./client.ts";
import { wholeOption } from "./whole-option.ts";

interface WalkOptions {
  readonly from: "poplin" | "kernel";
  readonly size: number;
  readonly json?: boolean;
}

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
    .option("--size <bytes>", "of data", wholeOption(6, MOST_DATA), 56)
    .option("-j, --json", "as JSON")
    .action(walk);
}

async function walk({ from, size, json }: WalkOptions): Promise<void> {
  const nodes = [
    { name: "node-a", kind: from },
    { name: "node-b", kind: "poplin" },
  ] as const;
  const cluster = await Cluster.start({ nodes });
  try {
    const [a, b] = ["node-a", "node-b"].map((name) => cluster.node(name));
    const hops = await recordWalk(a!, b!, size);
    const datagram = hops.find(
      ({ direction, device, host }) => host === "node-a" && device === "eth0" && direction === "out",
    )!;
    const twin = from === "poplin" ? await kernelTwin(cluster.lab, datagram.bytes, a!.options.mtu) : null;
    if (json) print([JSON.stringify(walkToJson({ hops, twin }), null, 2)]);
    else print(textOf(hops, datagram, twin));
  } finally {
    cluster.destroy();
  }
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

function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.join("\n")}\n`);
}
