/**
 * `poplin capture`: VXLAN on the underlay, a line per packet, every byte named, or a pcapng file.
 *
 *   here: which interface and port ──▶ child (capture-run.ts): libpcap (pcap-source.ts)
 *     → ours or a stranger's fragment (fragments.ts) → text or pcapng (capture-sinks.ts), written at once
 *
 * Two processes, because the `cap` package has an assertion that ends its process when the interface goes down or
 * away. Somebody has to be left to say so.
 *
 * It needs no agent: where one runs, its uplink and port are the defaults. What it shows is what libpcap sees: on a
 * sending interface that is before the card's offloads, so checksums may be unfinished and packets larger than any MTU.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { Command } from "commander";
import type { AgentStatus } from "../agent/api/status-types.ts";
import { findUplink } from "../host/uplink.ts";
import type { SessionOptions } from "./capture-session.ts";
import { type ClientOptions, clientFor, withSocket } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";
import { wholeOption } from "./whole-option.ts";

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
    .option("-c, --count <n>", "end after so many packets", wholeOption(1, 1e9))
    .option("-p, --port <n>", `UDP port (default: the agent's, else ${DEFAULT_PORT})`, wholeOption(1, 65_535))
    .option("-v, --verbose", "every byte of each packet, named")
    .addHelpText(
      "after",
      "\nExamples:\n" +
        "  poplin capture -c 10\n" +
        "  poplin capture -i eth0 -w underlay.pcapng\n" +
        "  poplin capture -w - | wireshark -k -i -\n" +
        "\nThe times are those at which packets reach poplin; libpcap's own are not\nhanded on.\n",
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
  const { write = null, count = null, verbose = false } = options;
  process.exitCode = await runCapture({ device, port, write, count, verbose });
}

/** What cap's native side prints by itself, and what helps nobody who reads it. */
const NOISE = /This may not actually work$|Assertion `.*' failed\.$/;

/** @returns the child's exit code */
async function runCapture(session: SessionOptions): Promise<number> {
  const child = fork(new URL("./capture-run.js", import.meta.url), [JSON.stringify(session)], {
    stdio: ["ignore", "inherit", "pipe", "ipc"],
  });
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on("SIGINT", forward).on("SIGTERM", forward);
  createInterface({ input: child.stderr! }).on("line", (line) => {
    if (!NOISE.test(line)) process.stderr.write(`${line}\n`);
  });
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  process.off("SIGINT", forward).off("SIGTERM", forward);
  if (code !== null) return code;
  // So early that it did not listen yet.
  if (signal === "SIGINT" || signal === "SIGTERM") return EXIT.ok;
  if (signal !== "SIGABRT") throw new CliError(EXIT.failed, `the capture was ended by ${signal}`);
  throw new CliError(
    EXIT.failed,
    `the capture has ended: ${session.device} went down or away`,
    session.write === null ? null : "what was written before is whole",
  );
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
    const uplink = await findUplink({ local: null, device: null, towards: null, family }).catch(() => null);
    if (uplink !== null) return uplink.device;
  }
  const names = readdirSync("/sys/class/net").join(", ");
  throw new CliError(
    EXIT.usage,
    "no agent runs here and there is no default route, so there is no interface to guess",
    `name one with -i: there are ${names}`,
  );
}
