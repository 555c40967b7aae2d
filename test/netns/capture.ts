/** Captures what leaves a port of the lab's router: what a wire would carry (`src/lab/network.ts`). */
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import type { Cluster } from "../../src/lab/cluster.ts";
import type { Host } from "../../src/lab/host.ts";

/** More than a frame there may have; tcpdump's buffer is cut into pieces of this size. */
const SNAP_LENGTH = 2048;
/** KiB of buffer: all that a test sends, so that nothing is missed on a busy machine. */
const BUFFER = 64 << 10;
/** Bytes of a pcap file before its first packet. */
const FILE_HEADER = 24;
const POLL = 10;
const PATIENCE = 20_000;

class Capture {
  /** The pcap file; complete after `stop`. */
  readonly file: string;
  readonly #router: Host;
  readonly #neighbour: string;
  readonly #tcpdump: ChildProcess;
  #said = "";

  private constructor(tcpdump: ChildProcess, router: Host, neighbour: string, file: string) {
    this.#tcpdump = tcpdump;
    this.#router = router;
    this.#neighbour = neighbour;
    this.file = file;
    tcpdump.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#said += text;
    });
  }

  /** Starts to capture what goes to a node. Nothing that is sent after this has resolved is missed. */
  static async start(cluster: Cluster, node: string): Promise<Capture> {
    const { middle } = cluster.network;
    const file = cluster.lab.file(`to-${node}-${randomBytes(3).toString("hex")}.pcap`);
    const output = openSync(file, "w");
    const flags = ["--immediate-mode", "-U", "-s", String(SNAP_LENGTH), "-B", String(BUFFER)];
    const tcpdump = middle.spawn("tcpdump", ["-i", node, "-Q", "out", "-w", "-", ...flags], {
      stdio: ["ignore", output, "pipe"],
    });
    closeSync(output);
    const capture = new Capture(tcpdump, middle, cluster.node(node).plan.address, file);
    await capture.#until(() => capture.#said.includes("listening on"), "tcpdump does not listen");
    return capture;
  }

  /**
   * Ends the capture, with everything in it that has left so far: a ping with a mark in it is the last.
   * @throws Error when tcpdump missed something
   */
  async stop(): Promise<void> {
    const mark = randomBytes(16);
    const args = ["-n", "-c", "1", "-w", "5", "-p", mark.toString("hex"), this.#neighbour];
    await this.#router.exec("ping", args);
    await this.#until(() => readFileSync(this.file).includes(mark), "the mark is not in the capture");
    const end = once(this.#tcpdump, "close");
    this.#tcpdump.kill("SIGINT");
    await end;
    if (!/\b0 packets dropped by kernel/.test(this.#said)) throw new Error(`incomplete: ${this.#said}`);
  }

  async #until(done: () => boolean, otherwise: string): Promise<void> {
    for (const end = Date.now() + PATIENCE; !done(); ) {
      const dead = this.#tcpdump.exitCode !== null || this.#tcpdump.signalCode !== null;
      if (dead || Date.now() > end) throw new Error(`${otherwise}: ${this.#said}`);
      await new Promise((resolve) => setTimeout(resolve, POLL));
    }
  }
}

/**
 * Captures what goes to each of some nodes while `traffic` runs.
 * @returns one pcap file with all of it: packets to the first node, then those to the second, and so on
 */
export async function captured(
  cluster: Cluster,
  nodes: readonly string[],
  traffic: () => Promise<void>,
): Promise<string> {
  const captures = await Promise.all(nodes.map((node) => Capture.start(cluster, node)));
  await traffic();
  await Promise.all(captures.map((capture) => capture.stop()));
  const pieces = captures.map(({ file }, i) => readFileSync(file).subarray(i === 0 ? 0 : FILE_HEADER));
  const file = cluster.lab.file(`captured-${randomBytes(3).toString("hex")}.pcap`);
  writeFileSync(file, Buffer.concat(pieces));
  return file;
}
