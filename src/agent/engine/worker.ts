/**
 * Entry of the dataplane's worker thread (blocking driver). It is handed open descriptors, builds the ports and the
 * dataplane on them, and turns the loop until it is told to stop. Its event loop never runs meanwhile: commands are
 * fetched from the message port when the main thread has raised `attention` and woken the poll.
 */
import { type MessagePort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { Counters } from "../../dataplane/counters.ts";
import { Dataplane } from "../../dataplane/dataplane.ts";
import { driveBlocking } from "../../dataplane/drive-blocking.ts";
import { EventRing } from "../../dataplane/event-ring.ts";
import type { LearnLogs } from "../../dataplane/learn.ts";
import type { OverlayOptions, SharedOptions } from "../../dataplane/options.ts";
import type { PortFailure } from "../../dataplane/port-failures.ts";
import { spinPolicy } from "../../dataplane/spin.ts";
import { type BatchOptions, BatchUnderlay } from "../../io/linux/batch.ts";
import { EpollTaps } from "../../io/linux/epoll-taps.ts";
import { type HairpinOptions, HairpinUnderlay } from "../../io/linux/hairpin.ts";
import type { UdpSocket } from "../../io/linux/shim.ts";
import { native } from "../../io/linux/sums.ts";
import { LinuxTap } from "../../io/linux/tap.ts";
import { LinuxWaiter } from "../../io/linux/waiter.ts";
import { type Command, execute } from "./protocol.ts";

/** What the main thread hands over: plain data, descriptors as numbers. */
export interface WorkerInput {
  readonly options: SharedOptions;
  /** At least one. */
  readonly overlays: readonly WorkerOverlay[];
  readonly socket: UdpSocket;
  readonly underlay: BatchOptions;
  /** Where super-frames leave uncut; null where they are cut. */
  readonly hairpin: HairpinOptions | null;
  /** The setting: microseconds to look for a packet before sleeping. */
  readonly spin: "auto" | "off" | number;
  /** It reads nothing before it is told to (`release`). */
  readonly held: boolean;
  readonly wakeFd: number;
  readonly attention: SharedArrayBuffer;
  /** Of each overlay. */
  readonly counters: readonly SharedArrayBuffer[];
  readonly events: SharedArrayBuffer;
  readonly port: MessagePort;
}

/** One overlay of a queue's thread. */
export interface WorkerOverlay {
  readonly options: OverlayOptions;
  readonly tap: { readonly fd: number; readonly name: string };
  /** By which the queues tell each other what they learn; null with one. */
  readonly logs: LearnLogs | null;
}

/** From the main thread: a command with its number, or the end. */
export type ToWorker = { readonly id: number; readonly command: Command } | { readonly stop: true };

/** From the worker: it is forwarding, the reply to a command, or why it ended. */
export type FromWorker =
  | { readonly ready: true }
  | { readonly id: number; readonly reply: unknown }
  | { readonly id: number; readonly error: { readonly message: string; readonly code: string | undefined } }
  | { readonly failed: PortFailure };

function main(input: WorkerInput): void {
  const { port } = input;
  const [first, ...others] = input.overlays.map(({ options, tap, logs }, i) => {
    const counters = new Counters(input.counters[i]);
    return { options, tap: new LinuxTap(tap.fd, tap.name), counters, logs };
  });
  const { tap, counters, logs } = first!;
  const batch = new BatchUnderlay(input.socket, input.underlay);
  const underlay = input.hairpin === null ? batch : new HairpinUnderlay(batch, input.hairpin);
  const events = new EventRing(input.events);
  const options = { ...first!.options, ...input.options };
  const ready = others.length === 0 ? null : new EpollTaps([tap, ...others.map((other) => other.tap)]);
  const more = { others, ready };
  const dataplane = new Dataplane(options, tap, underlay, counters, native(), events, logs, more);
  const readFd = ready?.fd ?? tap.fd;
  const blocked = ready === null ? null : dataplane.loop.blockedTaps;
  const waiter = new LinuxWaiter(readFd, underlay, input.wakeFd, spinPolicy(input.spin), blocked);
  const say = (message: FromWorker): void => port.postMessage(message);
  dataplane.loop.held = input.held;
  say({ ready: true });
  driveBlocking(dataplane.loop, waiter, new Int32Array(input.attention), () => control(port, dataplane, say));
  if (dataplane.loop.failure !== undefined) say({ failed: dataplane.loop.failure });
  ready?.close();
  port.close();
}

/** Carries out every command that waits. @returns false when one of them says stop */
function control(port: MessagePort, dataplane: Dataplane, say: (message: FromWorker) => void): boolean {
  for (;;) {
    const received = receiveMessageOnPort(port) as { message: ToWorker } | undefined;
    if (received === undefined) return true;
    const { message } = received;
    if ("stop" in message) return false;
    try {
      say({ id: message.id, reply: execute(dataplane, message.command) });
    } catch (error) {
      const { message: text, code } = error as Error & { code?: string };
      say({ id: message.id, error: { message: text, code } });
    }
  }
}

main(workerData as WorkerInput);
