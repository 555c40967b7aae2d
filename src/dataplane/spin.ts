/**
 * How long a thread that has nothing to do looks for the next packet before it sleeps. A sleep is cheap for whoever
 * sleeps, and costs the packet that ends it: where the CPU went idle meanwhile, waking it takes some 30 µs, a virtual
 * one more. So spinning pays where packets follow each other as questions and answers do, and only while nobody else
 * wants the CPU. A spin gives the CPU away between two looks (sched_yield(2)), which also tells who else is there: one
 * that comes back late has met somebody with more to do than to take a packet and answer it.
 *
 * What a wait was like decides about the next one:
 *
 *   it slept, and not long      a trial: whoever answers may have slept as well, so how long it took says little about
 *                               how long it would take if both were awake. The next wait spins for `MOST`
 *   a spin met the packet       twice as long next time, up to `MOST`
 *   a spin met nothing          half as long; below `LEAST` none at all
 *   that has come to nothing,   none for a number of waits, which doubles each time that happens again
 *   or the CPU was wanted
 */

/** Microseconds of a spin, at least and at most. */
const LEAST = 8;
const MOST = 100;
/** Microseconds of a sleep after which a spin is worth a trial: four wake-ups of idle CPUs, for a question and its answer. */
const TRIAL = 400;
/** Microseconds after which the CPU counts as wanted by somebody else: ten times what a ping needs to answer. */
const PATIENCE = 50;
/** Somebody else wants the CPU now and then on any machine: it counts as wanted when that is more than every eighth spin. */
const CROWD_STEP = 8;
const CROWDED = 24;
/** Waits without a spin after the CPU was wanted, or a trial came to nothing. */
const FIRST_PAUSE = 16;
const LONGEST_PAUSE = 8192;

/** How a wait ended: what was waited for was there at once, came during the spin, or ended a sleep. */
export const AT_ONCE = 0;
export const SPINNING = 1;
export const ASLEEP = 2;
export type HowItEnded = typeof AT_ONCE | typeof SPINNING | typeof ASLEEP;

/** Decides how long to spin. */
export interface SpinPolicy {
  /** Microseconds for the next wait; 0: none. */
  readonly budget: number;
  /** Microseconds without the CPU that end a spin. */
  readonly patience: number;
  /**
   * What the last wait was like.
   * @param micros how long it took
   * @param wanted somebody else had the CPU for longer than `patience`
   */
  learn(how: HowItEnded, micros: number, wanted: boolean): void;
}

/** @returns the policy of the setting `spin` */
export function spinPolicy(setting: "auto" | "off" | number): SpinPolicy {
  if (setting === "auto") return new AdaptiveSpin();
  return { budget: setting === "off" ? 0 : setting, patience: 2 ** 31 - 1, learn: () => {} };
}

class AdaptiveSpin implements SpinPolicy {
  readonly patience = PATIENCE;
  #length = 0;
  /** Waits that are left of the present pause, and the length of the next one. */
  #paused = 0;
  #pause = FIRST_PAUSE;
  /** How often somebody else wanted the CPU of late. */
  #crowd = 0;

  get budget(): number {
    return this.#paused > 0 || this.#length < LEAST ? 0 : this.#length;
  }

  learn(how: HowItEnded, micros: number, wanted: boolean): void {
    const spun = this.budget > 0;
    if (wanted) {
      this.#crowd += CROWD_STEP;
      if (this.#crowd > CROWDED) this.#rest();
    } else if (this.#paused > 0) {
      this.#paused--;
    } else if (how === SPINNING) {
      this.#length = Math.min(2 * this.#length, MOST);
      this.#crowd = Math.max(this.#crowd - 1, 0);
      // More slowly than it grows: a machine that is busy now and then stays wary.
      this.#pause = Math.max(this.#pause - 1 - (this.#pause >> 5), FIRST_PAUSE);
    } else if (how === ASLEEP && spun) {
      this.#length >>= 1;
      if (this.#length < LEAST) this.#rest();
    } else if (how === ASLEEP && micros <= TRIAL) {
      this.#length = MOST;
    }
  }

  #rest(): void {
    this.#crowd = 0;
    this.#paused = this.#pause;
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE);
  }
}
