/** Catches one encapsulated packet on a node's uplink: with `poplin capture`, or with tcpdump where `cap` is not built. */
import type { ChildProcess } from "node:child_process";
import { readCapture } from "../../io/capture-reader.ts";
import { decodePacket } from "../../wire/index.ts";
import { POPLIN } from "../agent-process.ts";
import type { Host } from "../host.ts";
import { VXLAN_PORT } from "../node.ts";

/** Milliseconds for a capture to start, and for the packet to be in it. */
const START_TIMEOUT = 10_000;
const PACKET_TIMEOUT = 5_000;

const UPLINK = "eth0";
const CAPTURES = [
  { command: process.execPath, args: [POPLIN, "capture", "-i", UPLINK, "-w", "-"] },
  { command: "tcpdump", args: ["-i", UPLINK, "-U", "-w", "-", "udp", "port", String(VXLAN_PORT)] },
];

/**
 * @param send makes somebody send; called when the capture runs
 * @returns the packet, null when there is nothing to capture with
 */
export async function catchFirst(host: Host, send: () => Promise<unknown>): Promise<Uint8Array | null> {
  for (const { command, args } of CAPTURES) {
    const child = host.spawn(command, args, { stdio: ["ignore", "pipe", "ignore"] });
    try {
      const capture = new Growing(child);
      // Both write the head of the file when they have begun to listen.
      if (!(await capture.grown((bytes) => bytes.length > 0, START_TIMEOUT))) continue;
      await send();
      const packet = (bytes: Uint8Array) =>
        readCapture(bytes).packets.find((one) => isVxlan(one.bytes))?.bytes;
      if (await capture.grown((bytes) => packet(bytes) !== undefined, PACKET_TIMEOUT)) {
        return packet(capture.bytes) ?? null;
      }
    } finally {
      child.kill("SIGKILL");
    }
  }
  return null;
}

function isVxlan(bytes: Uint8Array): boolean {
  return decodePacket(bytes).parts.some((part) => part.level > 0);
}

/** What a child has written so far. */
class Growing {
  bytes = new Uint8Array(0);
  #ended = false;
  #changed: () => void = () => {};

  constructor(child: ChildProcess) {
    child.stdout!.on("data", (chunk: Buffer) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
      this.#changed();
    });
    const end = (): void => {
      this.#ended = true;
      this.#changed();
    };
    child.stdout!.on("close", end);
    child.on("error", end);
  }

  /** Resolves with whether `enough` came true before the end, or before the time was over. */
  grown(enough: (bytes: Uint8Array) => boolean, timeout: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeout);
      this.#changed = () => {
        const there = enough(this.bytes);
        if (!there && !this.#ended) return;
        clearTimeout(timer);
        resolve(there);
      };
      this.#changed();
    });
  }
}
