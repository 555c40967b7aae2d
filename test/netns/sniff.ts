/** A capture on any interface of any host of a lab, read while it runs. */
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import type { Host } from "../../src/lab/host.ts";
import type { Lab } from "../../src/lab/lab.ts";
import { until } from "./agents.ts";

const FILE_HEADER = 24;
const PACKET_HEADER = 16;

export class Sniffer {
  /** The pcap file. */
  readonly file: string;
  readonly #tcpdump: ChildProcess;

  private constructor(tcpdump: ChildProcess, file: string) {
    this.#tcpdump = tcpdump;
    this.file = file;
  }

  /** Nothing is missed that comes after this has resolved. */
  static async start(lab: Lab, host: Host, device: string, filter: string): Promise<Sniffer> {
    const file = lab.file(`${host.name}-${randomBytes(3).toString("hex")}.pcap`);
    const output = openSync(file, "w");
    const args = ["-i", device, "-w", "-", "--immediate-mode", "-U", filter];
    const tcpdump = host.spawn("tcpdump", args, { stdio: ["ignore", output, "pipe"] });
    closeSync(output);
    let said = "";
    tcpdump.stderr!.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    await until("a capture", () => said.includes("listening on"));
    return new Sniffer(tcpdump, file);
  }

  /** The frames so far, each in hexadecimal. */
  frames(): string[] {
    const bytes = readFileSync(this.file);
    const frames: string[] = [];
    for (let at = FILE_HEADER; at + PACKET_HEADER <= bytes.length; ) {
      const length = bytes.readUInt32LE(at + 8);
      at += PACKET_HEADER;
      if (at + length <= bytes.length) frames.push(bytes.toString("hex", at, at + length));
      at += length;
    }
    return frames;
  }

  async stop(): Promise<void> {
    const end = once(this.#tcpdump, "close");
    this.#tcpdump.kill("SIGINT");
    await end;
  }
}
