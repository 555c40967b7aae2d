/** What a node has to do again and again: one thing after the other, and what is asked for twice meanwhile is done once. */
import { LeaseLost } from "../../stores/store.ts";
import type { Log } from "../log.ts";
import { Interrupted } from "./patience.ts";

export interface Chore {
  readonly work: () => Promise<void>;
  /** What it means where it fails, for the log: "not all peers are in place". */
  readonly trouble: string;
  /** What is said when it works again: "the peers are in place again". */
  readonly cured: string;
  /**
   * Milliseconds from its end to its next beginning; left out: none. The first is begun at once; what follows comes in
   * crowds, and one costs the same for a change as for all of them.
   */
  readonly gather?: number;
  /** Milliseconds after which one that failed is done again by itself; left out: not before it is asked for. */
  readonly again?: number;
}

export class Chores<Name extends string> {
  readonly #chores: Readonly<Record<Name, Chore>>;
  readonly #log: Log;
  readonly #lost: (error: LeaseLost) => void;
  readonly #due = new Set<Name>();
  /** Why the last of each failed. */
  readonly #troubles = new Map<Name, string>();
  /** When each was done last. */
  readonly #endedAt = new Map<Name, number>();
  #open = false;
  #busy = false;

  /** @param lost told when one of them finds that the lease is lost: what else fails is told in the log */
  constructor(chores: Readonly<Record<Name, Chore>>, log: Log, lost: (error: LeaseLost) => void) {
    this.#chores = chores;
    this.#log = log;
    this.#lost = lost;
  }

  /** Does it, once what runs and what was asked for before is done; before `start` it waits for that. */
  soon(name: Name): void {
    this.#due.add(name);
    if (this.#open && !this.#busy) void this.#run();
  }

  start(): void {
    this.#open = true;
    if (!this.#busy) void this.#run();
  }

  /** Nothing is begun any more. What runs goes on. */
  stop(): void {
    this.#open = false;
  }

  async #run(): Promise<void> {
    this.#busy = true;
    for (const name of this.#due) {
      const left = this.#gathering(name);
      if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
      if (!this.#open) break;
      this.#due.delete(name);
      try {
        await this.#chores[name].work();
        if (this.#troubles.delete(name)) this.#log.info(this.#chores[name].cured);
      } catch (error) {
        if (error instanceof LeaseLost) this.#lost(error);
        else if (!(error instanceof Interrupted)) this.#failed(name, (error as Error).message);
      }
      this.#endedAt.set(name, performance.now());
    }
    this.#busy = false;
  }

  /** @returns milliseconds until it may begin */
  #gathering(name: Name): number {
    const { gather = 0 } = this.#chores[name];
    return (this.#endedAt.get(name) ?? Number.NEGATIVE_INFINITY) + gather - performance.now();
  }

  /** Told once for each reason: an address may be away for hours. */
  #failed(name: Name, reason: string): void {
    const { again } = this.#chores[name];
    if (again !== undefined) setTimeout(() => this.soon(name), again).unref();
    if (this.#troubles.get(name) === reason) return;
    this.#troubles.set(name, reason);
    this.#log.error(`${this.#chores[name].trouble}: ${reason}`);
  }
}
