/** What passes an interface of a host, with the kernel's own times: tcpdump. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { type CapturedPacket, readCapture } from "../../io/capture-reader.ts";
import { LabError } from "../errors.ts";
import type { Host } from "../host.ts";

export class Sniffer {
  readonly host: Host;
  readonly device: string;
  readonly direction: "in" | "out";
  readonly #tcpdump: ChildProcess;
  readonly #chunks: Buffer[] = [];

  private constructor(host: Host, device: string, direction: "in" | "out", filter: string) {
    this.host = host;
    this.device = device;
    this.direction = direction;
    const args = [
      "-i",
      device,
      "-Q",
      direction,
      "--time-stamp-precision=nano",
      "--immediate-mode",
      "-U",
      "-n",
      "-w",
      "-",
      filter,
    ];
    this.#tcpdump = host.spawn("tcpdump", args, { stdio: ["ignore", "pipe", "pipe"] });
    this.#tcpdump.stdout!.on("data", (chunk: Buffer) => this.#chunks.push(chunk));
  }

  /**
   * Nothing is missed that comes after this has resolved.
   * @param direction as the host sees it
   * @throws LabError where tcpdump does not start
   */
  static async start(host: Host, device: string, direction: "in" | "out", filter: string): Promise<Sniffer> {
    const sniffer = new Sniffer(host, device, direction, filter);
    await sniffer.#listening();
    return sniffer;
  }

  #listening(): Promise<void> {
    let said = "";
    return new Promise((resolve, reject) => {
      this.#tcpdump.stderr!.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        if (said.includes("listening on")) resolve();
      });
      this.#tcpdump.once("close", () => {
        const what = `${this.host.name}: tcpdump on ${this.device}: ${said.trim()}`;
        reject(new LabError("LAB_COMMAND", what, "apt install tcpdump"));
      });
    });
  }

  /** What has passed until now. */
  packets(): readonly CapturedPacket[] {
    return this.#chunks.length === 0 ? [] : readCapture(Buffer.concat(this.#chunks)).packets;
  }

  /** Ends it. */
  async stop(): Promise<void> {
    const { exitCode, signalCode } = this.#tcpdump;
    if (exitCode !== null || signalCode !== null) return;
    const ended = once(this.#tcpdump, "close");
    this.#tcpdump.kill("SIGINT");
    await ended;
  }
}
