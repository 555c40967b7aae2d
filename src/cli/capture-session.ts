/** One capture from its first packet to the last word about it. */
import { FragmentTracker } from "../io/fragments.ts";
import { openPcapSource, type PcapSource, vxlanFilter } from "../io/pcap-source.ts";
import { type PacketSink, PcapngSink, TextSink } from "./capture-sinks.ts";
import { stdoutStyle } from "./client.ts";
import { captureSummary } from "./render-capture.ts";
import { SyncOutput } from "./sync-output.ts";

export interface SessionOptions {
  /** Interface to listen on. */
  readonly device: string;
  /** UDP port of VXLAN. */
  readonly port: number;
  /** File for pcapng, "-" for standard output, null for text. */
  readonly write: string | null;
  /** End after so many packets; null for never. */
  readonly count: number | null;
  /** Text with every byte of each packet. */
  readonly verbose: boolean;
}

export class Session {
  readonly #options: SessionOptions;
  readonly #ended: Promise<void>;
  #end: (error?: unknown) => void = () => {};
  #packets = 0;
  #fragments = 0;
  #truncated = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#ended = new Promise((resolve, reject) => {
      this.#end = (error) => (error === undefined ? resolve() : reject(error));
    });
  }

  /** Ends the capture. Safe to call at any time, and more than once. */
  stop(): void {
    this.#end();
  }

  /**
   * Captures until `stop`, the wanted count, or a reader that has gone; what there is to say goes to standard error.
   * @throws PcapError when there is nothing to capture, CliError when it cannot be written
   */
  async run(): Promise<void> {
    const { device, port, write } = this.#options;
    const output = new SyncOutput(write ?? "-");
    let source: PcapSource | undefined;
    try {
      source = this.#open(output);
      say([`capturing VXLAN (UDP port ${port}) on ${device}, Ctrl-C ends it`]);
      await this.#ended;
      source.close();
      const { dropped, restarts } = source;
      const counts = { packets: this.#packets, fragments: this.#fragments, truncated: this.#truncated };
      say(captureSummary({ ...counts, dropped, restarts, file: write }));
    } finally {
      source?.close();
      output.close();
    }
  }

  #open(output: SyncOutput): PcapSource {
    const { device, port } = this.#options;
    // The link type, and with it who reads the packets, is known only when the capture runs; packets come later.
    let handle: (bytes: Uint8Array, truncated: boolean) => void = () => {};
    const source = openPcapSource({
      device,
      filter: vxlanFilter(port),
      onPacket: (bytes, truncated) => handle(bytes, truncated),
      onError: (error) => this.#end(error),
    });
    const tracker = new FragmentTracker(source.linkType, port);
    const sink = this.#sink(output, source.linkType);
    handle = (bytes, truncated) => {
      if (this.#take(tracker, sink, bytes, truncated)) return;
      source.close();
      this.#end();
    };
    return source;
  }

  /** @returns whether to go on */
  #take(tracker: FragmentTracker, sink: PacketSink, bytes: Uint8Array, truncated: boolean): boolean {
    const kind = tracker.classify(bytes);
    if (kind === "foreign") return true;
    this.#packets++;
    if (kind !== "whole") this.#fragments++;
    if (truncated) this.#truncated++;
    try {
      return sink.packet(bytes, truncated) && this.#packets !== this.#options.count;
    } catch (error) {
      this.#end(error);
      return false;
    }
  }

  #sink(output: SyncOutput, linkType: number): PacketSink {
    const { device, port, write, verbose } = this.#options;
    if (write !== null) return new PcapngSink(output, device, linkType);
    return new TextSink(output, linkType, port, { color: stdoutStyle().color, verbose });
  }
}

/** Beside the packets, never among them. */
function say(lines: readonly string[]): void {
  process.stderr.write(lines.map((line) => `${line}\n`).join(""));
}
