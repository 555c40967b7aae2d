/**
 * The agent as a service of systemd's (Type=notify or notify-reload, WatchdogSec=):
 *
 *   start       STATUS= what it waits for, EXTEND_TIMEOUT_USEC= while it does: a store may be long in coming
 *   ready       READY=1 once /readyz says so: who is ordered behind us finds an overlay that forwards
 *   from then   STATUS= in a sentence; WATCHDOG=1 twice in the time that systemd allows, as long as the threads that
 *               move packets answer: a process whose main thread alone is alive is restarted
 *   SIGHUP      RELOADING=1, and READY=1 when it is done
 *   end         STOPPING=1; where another process has taken over MAINPID= instead
 */
import { loadShim } from "../../io/linux/shim.ts";
import type { Log } from "../log.ts";
import type { HealthSource } from "../probes/pages.ts";
import { type Asked, Notifier } from "./notify.ts";

/** Milliseconds between two looks: until it is ready, and after that. */
const LOOK = { starting: 100, ready: 10_000 } as const;
/** Microseconds by which systemd is to wait longer, from each time that it is told. */
const LONGER = 30_000_000;
/** Milliseconds between two such requests. */
const LONGER_EVERY = 10_000;

export type Probed = Pick<HealthSource, "live" | "ready">;

export class Service {
  readonly #notifier: Notifier;
  #probed: Probed | undefined;
  #isReady = false;
  /** Reloads under way. */
  #reloads = 0;
  #stopping = false;
  #status = "";
  #longerAt = Number.NEGATIVE_INFINITY;
  #look: NodeJS.Timeout | undefined;
  #dog: NodeJS.Timeout | undefined;

  constructor(notifier: Notifier, watchdog: number | null) {
    this.#notifier = notifier;
    void this.#next();
    if (watchdog !== null) this.#dog = setInterval(() => void this.#alive(), watchdog / 2);
  }

  /** What systemd is told, where it has asked to be. */
  static of({ socket, watchdog }: Asked, log: Log): Service {
    const send = (name: string, bytes: Uint8Array): number => loadShim().sendLocal(name, bytes);
    return new Service(new Notifier(socket, send, (message) => log.warn(message)), watchdog);
  }

  /** From now on there is somebody to ask. */
  attach(probed: Probed): void {
    this.#probed = probed;
    clearTimeout(this.#look);
    void this.#next();
  }

  /** A reload begins. @returns what is to be called when it is over, however it ended */
  reloading(): () => void {
    this.#reloads++;
    // systemd wants to know that this is no older message than its signal: CLOCK_MONOTONIC, as hrtime.
    const now = process.hrtime.bigint() / 1000n;
    this.#notifier.say({
      RELOADING: 1,
      MONOTONIC_USEC: String(now),
      STATUS: "reads its configuration again",
    });
    this.#status = "";
    return () => {
      if (--this.#reloads > 0 || this.#stopping) return;
      if (this.#isReady) this.#notifier.say({ READY: 1 });
      clearTimeout(this.#look);
      void this.#next();
    };
  }

  /** The end begins. */
  stopping(): void {
    this.#stopping = true;
    this.close();
    this.#notifier.say({ STOPPING: 1, STATUS: "is about to end" });
  }

  /** Another process is the service from now on. */
  replaced(pid: number): void {
    this.#stopping = true;
    this.close();
    this.#notifier.say({ MAINPID: pid });
  }

  /** Says nothing more. */
  close(): void {
    clearTimeout(this.#look);
    clearInterval(this.#dog);
    this.#notifier.close();
  }

  /** Looks, tells what is new, and looks again later. */
  async #next(): Promise<void> {
    const probed = this.#probed;
    const reasons = (await probed?.ready()) ?? ["is starting"];
    // Asked anew meanwhile, or told to end: that look counts.
    if (this.#stopping || this.#reloads > 0 || probed !== this.#probed) return;
    if (reasons.length === 0 && !this.#isReady) {
      this.#isReady = true;
      this.#notifier.say({ READY: 1 });
    }
    this.#tell(reasons);
    clearTimeout(this.#look);
    this.#look = setTimeout(() => void this.#next(), this.#isReady ? LOOK.ready : LOOK.starting);
  }

  #tell(reasons: readonly string[]): void {
    const status = reasons.length === 0 ? "forwards" : `is not ready: ${reasons.join("; ")}`;
    const isNews = status !== this.#status;
    this.#status = status;
    const isLong = !this.#isReady && performance.now() - this.#longerAt >= LONGER_EVERY;
    if (isLong) this.#longerAt = performance.now();
    if (isNews || isLong) {
      this.#notifier.say({
        ...(isNews ? { STATUS: status } : {}),
        ...(isLong ? { EXTEND_TIMEOUT_USEC: LONGER } : {}),
      });
    }
  }

  /** Before there is an agent, that we get here is all there is to say. */
  async #alive(): Promise<void> {
    const reasons = (await this.#probed?.live()) ?? [];
    if (this.#stopping) return;
    if (reasons.length === 0) this.#notifier.say({ WATCHDOG: 1 });
    else this.#notifier.say({ STATUS: reasons.join("; ") });
  }
}
