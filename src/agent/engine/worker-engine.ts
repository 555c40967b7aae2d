/**
 * A dataplane on a worker thread, driven by blocking polls. This side keeps the questions that wait for an answer,
 * and wakes the worker's poll after each (an eventfd; the word `attention` tells a busy worker that never sleeps).
 */
import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";
import { type CounterSnapshot, Counters, snapshotOf } from "../../dataplane/counters.ts";
import { EventRing } from "../../dataplane/event-ring.ts";
import type { SharedOptions } from "../../dataplane/options.ts";
import type { PortFailure } from "../../dataplane/port-failures.ts";
import type { ProbeVerdict } from "../../dataplane/self-probe.ts";
import { loadShim } from "../../io/linux/shim.ts";
import { type Engine, ended } from "./engine.ts";
import type { Command, ReplyTo } from "./protocol.ts";
import type { FromWorker, ToWorker, WorkerInput } from "./worker.ts";

/** Open descriptors, which stay the caller's. */
export type WorkerPorts = Pick<WorkerInput, "overlays" | "socket" | "underlay" | "hairpin" | "spin" | "held">;

interface Question {
  resolve(reply: unknown): void;
  reject(error: Error): void;
}

/** Starts the thread. @returns once it forwards, or would if it were not held. */
export async function startWorkerEngine(options: SharedOptions, ports: WorkerPorts): Promise<Engine> {
  const engine = new WorkerEngine(options, ports);
  await engine.ready;
  return engine;
}

class WorkerEngine implements Engine {
  readonly driver = "worker";
  readonly ready: Promise<void>;
  readonly failed: Promise<PortFailure | Error>;
  readonly #shim = loadShim();
  /** Of each overlay. */
  readonly #counters: readonly Counters[];
  /** Of an overlay that is probed now, its counters before: the probe's own frame is taken out again (`self-probe.ts`). */
  readonly #probes = new Map<
    number,
    { readonly before: Counters; readonly verdict: Promise<ProbeVerdict> }
  >();
  readonly #events = new EventRing();
  readonly events = [this.#events];
  readonly #wakeFd = this.#shim.eventOpen();
  readonly #attention = new Int32Array(new SharedArrayBuffer(4));
  readonly #questions = new Map<number, Question>();
  readonly #worker: Worker;
  readonly #channel = new MessageChannel();
  readonly #exited: Promise<void>;
  #fail: (failure: PortFailure | Error) => void = () => {};
  #isReady: () => void = () => {};
  #isNotReady: (error: Error) => void = () => {};
  #nextId = 0;
  #over = false;

  constructor(options: SharedOptions, ports: WorkerPorts) {
    this.#counters = ports.overlays.map(() => new Counters());
    if (ports.held) this.#attention[0] = 1;
    const input: WorkerInput = {
      options,
      ...ports,
      wakeFd: this.#wakeFd,
      attention: this.#attention.buffer as SharedArrayBuffer,
      counters: this.#counters.map(({ shared }) => shared),
      events: this.#events.shared,
      port: this.#channel.port2,
    };
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), {
      workerData: input,
      transferList: [this.#channel.port2],
      name: "poplin-dataplane",
    });
    this.#exited = new Promise((resolve) => this.#worker.once("exit", () => resolve(this.#end())));
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
      this.#worker.once("error", resolve);
    });
    this.ready = new Promise((resolve, reject) => {
      this.#isReady = resolve;
      this.#isNotReady = reject;
      this.#worker.once("error", reject);
    });
    this.#channel.port1.on("message", (message: FromWorker) => this.#heard(message));
    process.once("exit", this.#onProcessExit);
  }

  /**
   * An error that nobody caught ends the process, and Node then waits for its threads: without this for ever, since
   * ours sleeps in a system call.
   */
  readonly #onProcessExit = (): void => this.#tell({ stop: true });

  ask<C extends Command>(command: C): Promise<ReplyTo<C>> {
    if (this.#over) return Promise.reject(ended());
    const id = this.#nextId++;
    if (command.type === "probe") return this.#probe(id, command) as Promise<ReplyTo<C>>;
    return this.#question(id, command);
  }

  /** One at a time for each overlay: whoever asks meanwhile gets the same answer. */
  #probe(id: number, command: Extract<Command, { type: "probe" }>): Promise<ReplyTo<typeof command>> {
    const { overlay = 0 } = command;
    const running = this.#probes.get(overlay);
    if (running !== undefined) return running.verdict;
    const before = new Counters();
    before.values.set(this.#counters[overlay]!.values);
    const verdict = this.#question(id, command).finally(() => this.#probes.delete(overlay));
    this.#probes.set(overlay, { before, verdict });
    return verdict;
  }

  #question<C extends Command>(id: number, command: C): Promise<ReplyTo<C>> {
    return new Promise<ReplyTo<C>>((resolve, reject) => {
      this.#questions.set(id, { resolve: resolve as (reply: unknown) => void, reject });
      this.#tell({ id, command });
    });
  }

  snapshot(overlay?: number): CounterSnapshot {
    const counters =
      this.#probes.size === 0
        ? this.#counters
        : this.#counters.map((now, place) => this.#probes.get(place)?.before ?? now);
    return snapshotOf(counters, overlay);
  }

  async stop(): Promise<void> {
    if (!this.#over) this.#tell({ stop: true });
    await this.#exited;
  }

  #tell(message: ToWorker): void {
    this.#channel.port1.postMessage(message);
    Atomics.store(this.#attention, 0, 1);
    this.#shim.eventSignal(this.#wakeFd);
  }

  #heard(message: FromWorker): void {
    if ("ready" in message) this.#isReady();
    else if ("failed" in message) this.#fail(message.failed);
    else this.#answered(message);
  }

  #answered(message: Extract<FromWorker, { id: number }>): void {
    const question = this.#questions.get(message.id);
    this.#questions.delete(message.id);
    if ("error" in message)
      question?.reject(Object.assign(new Error(message.error.message), { code: message.error.code }));
    else question?.resolve(message.reply);
  }

  /** The thread is gone: nobody answers any more. */
  #end(): void {
    if (this.#over) return;
    this.#over = true;
    process.off("exit", this.#onProcessExit);
    // The exit may be reported before the thread's last words, and what a closed port has not delivered is lost.
    const { port1 } = this.#channel;
    for (let last = receiveMessageOnPort(port1); last; last = receiveMessageOnPort(port1))
      this.#heard(last.message);
    this.#fail(ended());
    this.#isNotReady(ended());
    this.#shim.close(this.#wakeFd);
    port1.close();
    for (const question of this.#questions.values()) question.reject(ended());
    this.#questions.clear();
  }
}
