/**
 * Where frames go that have no row of their own: the VTEPs of the row for 00:00:00:00:00:00, from the settings `remote`
 * and `group`. What somebody has appended by hand stays.
 */
import { addressBytes } from "../control/address.ts";
import type { FdbUpdate } from "../dataplane/options.ts";
import type { Engine } from "./engine/engine.ts";

/** The MAC that stands for every one without a row. */
export const ALL_ZEROS = "00:00:00:00:00:00";

/** One VTEP added to the row, or taken out of it. */
interface Step {
  readonly op: "append" | "del";
  readonly target: string;
}

export class FloodTargets {
  readonly #engine: Engine;
  readonly #port: number;
  /** What the settings said last. */
  #ours: readonly string[] = [];

  /** @param port UDP port of all of them */
  constructor(engine: Engine, port: number) {
    this.#engine = engine;
    this.#port = port;
  }

  /** What an agent that takes over has to know: the targets that the settings said last. */
  get memory(): readonly string[] {
    return this.#ours;
  }

  recall(memory: readonly string[]): void {
    this.#ours = memory;
  }

  /** The rows that the dataplane starts with, so that not even the device's first frame finds none. */
  static rows(targets: readonly string[], port: number): FdbUpdate[] {
    return targets.map((target) => appended(target, port));
  }

  /**
   * Makes the row have these VTEPs, and none that the settings said before and do not say any more.
   * @param targets addresses, canonical, each once
   * @returns how many were added or taken out
   */
  async reconcile(targets: readonly string[]): Promise<number> {
    const steps = await this.#steps(targets);
    this.#ours = targets;
    const changes = steps.map(({ op, target }) => ({ ...appended(target, this.#port), op }));
    if (changes.length > 0) await this.#engine.ask({ type: "update", changes });
    return changes.length;
  }

  /** @returns what a comparison would change for the targets of the last one, in the words of `bridge fdb` */
  async plan(): Promise<string[]> {
    const steps = await this.#steps(this.#ours);
    return steps.map(({ op, target }) => `fdb ${op} ${ALL_ZEROS} dst ${target} port ${this.#port}`);
  }

  async #steps(targets: readonly string[]): Promise<Step[]> {
    const rows = await this.#engine.ask({ type: "rows" });
    const there = new Set(
      rows.filter(({ mac, port }) => mac === ALL_ZEROS && port === this.#port).map(({ dst }) => dst),
    );
    const missing = targets.filter((target) => !there.has(target));
    const stale = this.#ours.filter((target) => !targets.includes(target) && there.has(target));
    return [
      ...missing.map((target): Step => ({ op: "append", target })),
      ...stale.map((target): Step => ({ op: "del", target })),
    ];
  }
}

function appended(target: string, port: number): FdbUpdate {
  return { op: "append", mac: ALL_ZEROS, address: addressBytes(target), port };
}
