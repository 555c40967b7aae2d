/**
 * `poplin capture`: VXLAN on the underlay, a line per packet, every byte named, or a pcapng file.
 *
 *   libpcap (pcap-source.ts) → ours or a stranger's fragment (fragments.ts) → text or pcapng → written at once
 *
 * It needs no agent: where one runs, its uplink and port are the defaults. What it shows is what libpcap sees: on a
 * sending interface that is before the card's offloads, so checksums may be unfinished and packets larger than any MTU.
 */
import { readdirSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import type { AgentStatus } from "../agent/api/types.ts";
import { findUplink } from "../host/uplink.ts";
import { FragmentTracker } from "../io/fragments.ts";
import { openPcapSource, type PcapSource, vxlanFilter } from "../io/pcap-source.ts";
import { type PacketSink, PcapngSink, TextSink } from "./capture-sinks.ts";
import { type ClientOptions, clientFor, stdoutStyle, withSocket } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { count, plural } from "./output.ts";
import { SyncOutput } from "./sync-output.ts";

/** Linux's and flannel's VXLAN port: the agent's default too. */
const DEFAULT_PORT = 8472;
/** Milliseconds an agent has to say what its uplink is. */
const AGENT_TIMEOUT = 1000;

interface CaptureOptions extends ClientOptions {
  readonly interface?: string;
  readonly write?: string;
  readonly count?: number;
  readonly port?: number;
  readonly verbose?: boolean;
}

export function captureCommand(): Command {
  const command = new Command("capture")
    .description(
      "Show VXLAN packets on the underlay, one line each, or write them as pcapng. Ctrl-C ends it.",
    )
    .option(
      "-i, --interface <name>",
      "where to listen (default: the agent's uplink, else the default route's)",
    )
    .option("-w, --write <file>", "write pcapng to a file, or to standard output (-)")
    .option("-c, --count <n>", "end after so many packets", wholeNumber(1, 1e9))
    .option("-p, --port <n>", `UDP port (default: the agent's, else ${DEFAULT_PORT})`, wholeNumber(1, 65_535))
    .option("-v, --verbose", "every byte of each packet, named")
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  poplin capture -c 10\n" +
        "  poplin capture -i eth0 -w underlay.pcapng\n" +
        "  poplin capture -w - | wireshark -k -i -\n" +
        "\nThe times are those at which packets reach poplin; libpcap's own are not handed on.\n",
    );
  return withSocket(command).action(capture);
}

async function capture(options: CaptureOptions): Promise<void> {
  if (options.write === "-" && process.stdout.isTTY) {
    throw new CliError(
      EXIT.usage,
      "pcapng is nothing for a terminal",
      "pipe it: poplin capture -w - | wireshark -k -i -",
    );
  }
  const agent = await agentStatus(options);
  const device = options.interface ?? agent?.underlay.uplink ?? (await defaultInterface());
  const port = options.port ?? agent?.underlay.port ?? DEFAULT_PORT;
  const session = new Session(device, port, options);
  await session.run();
}

/** The agent's word is a convenience: without one, or without an answer, there are other defaults. */
async function agentStatus(options: CaptureOptions): Promise<AgentStatus | null> {
  if (options.interface !== undefined && options.port !== undefined) return null;
  return clientFor(options, AGENT_TIMEOUT)
    .status()
    .catch(() => null);
}

async function defaultInterface(): Promise<string> {
  for (const family of [4, 6] as const) {
    const uplink = await findUplink(null, null, family).catch(() => null);
    if (uplink !== null) return uplink.device;
  }
  const names = readdirSync("/sys/class/net").join(", ");
  throw new CliError(
    EXIT.usage,
    "no agent runs here and there is no default route, so there is no interface to guess",
    `name one with -i: there are ${names}`,
  );
}

/** One capture from start to end, and what there is to say about it afterwards. */
class Session {
  readonly #device: string;
  readonly #port: number;
  readonly #options: CaptureOptions;
  readonly #ended: Promise<void>;
  #end: (error?: unknown) => void = () => {};
  #packets = 0;
  #fragments = 0;
  #truncated = 0;

  constructor(device: string, port: number, options: CaptureOptions) {
    this.#device = device;
    this.#port = port;
    this.#options = options;
    this.#ended = new Promise((resolve, reject) => {
      this.#end = (error) => (error === undefined ? resolve() : reject(error));
    });
  }

  async run(): Promise<void> {
    const output = new SyncOutput(this.#options.write ?? "-");
    const stop = () => this.#end();
    process.once("SIGINT", stop).once("SIGTERM", stop);
    let source: PcapSource | undefined;
    try {
      source = this.#open(output);
      this.#say(`capturing VXLAN (UDP port ${this.#port}) on ${this.#device}, Ctrl-C ends it`);
      await this.#ended;
    } finally {
      source?.close();
      output.close();
      process.off("SIGINT", stop).off("SIGTERM", stop);
    }
    this.#summarize(source);
  }

  #open(output: SyncOutput): PcapSource {
    // The link type, and with it who reads the packets, is known only when the capture runs; packets come later.
    let handle: (bytes: Uint8Array, truncated: boolean) => void = () => {};
    const source = openPcapSource({
      device: this.#device,
      filter: vxlanFilter(this.#port),
      onPacket: (bytes, truncated) => handle(bytes, truncated),
      onError: (error) => this.#end(error),
    });
    const tracker = new FragmentTracker(source.linkType, this.#port);
    const sink = this.#sink(output, source.linkType);
    handle = (bytes, truncated) => {
      const kind = tracker.classify(bytes);
      if (kind === "foreign") return;
      this.#packets++;
      if (kind !== "whole") this.#fragments++;
      if (truncated) this.#truncated++;
      try {
        const readerGone = !sink.packet(bytes, truncated);
        if (!readerGone && this.#packets !== this.#options.count) return;
        this.#end();
      } catch (error) {
        this.#end(error);
      }
      source.close();
    };
    return source;
  }

  #sink(output: SyncOutput, linkType: number): PacketSink {
    if (this.#options.write !== undefined) return new PcapngSink(output, this.#device, linkType);
    const { color } = stdoutStyle();
    return new TextSink(output, linkType, this.#port, { color, verbose: this.#options.verbose === true });
  }

  #summarize({ restarts, dropped }: PcapSource): void {
    const where =
      this.#options.write === undefined || this.#options.write === "-" ? "" : ` to ${this.#options.write}`;
    const lost =
      dropped === null
        ? "unknown how many dropped (the native shim is not built)"
        : `${count(dropped)} dropped`;
    this.#say(`${plural(this.#packets, "packet")}${where}, ${lost}`);
    if (dropped !== null && dropped > 0 && this.#options.write === undefined) {
      this.#say("! packets came faster than lines can be written: -w takes more");
    }
    if (this.#fragments > 0) {
      this.#say(
        `! ${plural(this.#fragments, "is a fragment", "are fragments")}: the overlay's MTU is too large for the underlay`,
      );
      this.#say("  → set `mtu` to the underlay's MTU less 50, or less 70 over IPv6 (RFC 7348 section 4.3)");
    }
    if (this.#truncated > 0)
      this.#say(`! ${plural(this.#truncated, "packet is", "packets are")} cut off at 65,535 bytes`);
    if (restarts > 0) {
      this.#say(
        `! packets came faster than they could be taken: ${plural(restarts, "gap")}, and nobody counted what fell into ${restarts === 1 ? "it" : "them"}`,
      );
    }
  }

  /** Beside the packets, never among them. */
  #say(line: string): void {
    process.stderr.write(`${line}\n`);
  }
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It takes a whole number from ${least} to ${most}.`);
  };
}
