/** Where captured packets go: text for people, pcapng for Wireshark. */
import { networkOffset } from "../io/fragments.ts";
import { LINKTYPE_ETHERNET, nowNanoseconds, PcapngWriter } from "../io/pcapng.ts";
import { dissect } from "../teach/dissect.ts";
import { summarize } from "../teach/summary.ts";
import type { PacketOptions } from "../wire/index.ts";
import { timeOfDay } from "./output.ts";
import type { SyncOutput } from "./sync-output.ts";

export interface PacketSink {
  /**
   * Takes one packet and writes it at once.
   * @returns false when the reader has gone
   */
  packet(bytes: Uint8Array, truncated: boolean): boolean;
}

/** A line for each packet; with `verbose`, every byte below it. */
export class TextSink implements PacketSink {
  readonly #output: SyncOutput;
  readonly #options: PacketOptions;
  readonly #start: (packet: Uint8Array) => number;
  readonly #color: boolean;
  readonly #verbose: boolean;

  /** @param port the VXLAN port that is captured */
  constructor(
    output: SyncOutput,
    linkType: number,
    port: number,
    { color, verbose }: { readonly color: boolean; readonly verbose: boolean },
  ) {
    const ethernet = linkType === LINKTYPE_ETHERNET;
    this.#output = output;
    this.#options = { layer: ethernet ? "ethernet" : "ip", vxlanPorts: [port] };
    // Headers that only the capture has, as Linux's "cooked" one, are no part of the packet.
    this.#start = ethernet ? () => 0 : networkOffset(linkType);
    this.#color = color;
    this.#verbose = verbose;
  }

  packet(bytes: Uint8Array): boolean {
    const packet = bytes.subarray(this.#start(bytes));
    const lines = [`${timeOfDay(new Date())} ${summarize(packet, this.#options)}`];
    if (this.#verbose) lines.push(...dissect(packet, { ...this.#options, color: this.#color }), "");
    return this.#output.write(Buffer.from(`${lines.join("\n")}\n`));
  }
}

/** pcapng, block by block: a reader at the other end of a pipe sees each packet as it comes. */
export class PcapngSink implements PacketSink {
  readonly #writer: PcapngWriter;
  readonly #interface: number;
  #readerGone = false;

  constructor(output: SyncOutput, device: string, linkType: number) {
    this.#writer = new PcapngWriter((chunk) => {
      if (!output.write(chunk)) this.#readerGone = true;
    }, "poplin capture");
    this.#interface = this.#writer.addInterface({ name: device, linkType });
  }

  packet(bytes: Uint8Array, truncated: boolean): boolean {
    const notes = truncated ? { comment: "cut off at the capture's limit" } : {};
    this.#writer.packet(this.#interface, nowNanoseconds(), bytes, notes);
    return !this.#readerGone;
  }
}
