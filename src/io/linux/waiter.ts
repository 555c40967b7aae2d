/**
 * What the blocking driver waits on: one poll(2) over the TAP, the socket and the wake-up, after a spin as long as its
 * policy says.
 *
 * A port of which nothing is wanted is left out of the set altogether. poll(2) reports an error (a deleted TAP, a
 * socket with a pending error) whether it was asked for or not; with the port left out, the sleep ends early only
 * when the loop's next call on the port takes that error away, or learns that the port is gone. So it never spins.
 */
import type { BlockedTaps, Underlay, Waiter } from "../../dataplane/ports.ts";
import { type HowItEnded, type SpinPolicy, spinPolicy } from "../../dataplane/spin.ts";
import { loadShim, POLLIN, POLLOUT } from "./shim.ts";

const ROW = 3;
const EVENTS = 1;
const CAME = 2;
const TAP = 0;
const UNDERLAY = ROW;
const WAKE = 2 * ROW;
const UNDERLAY_WRITE = 3 * ROW;
const FRAMES_WRITE = 4 * ROW;
const ANSWERS_WRITE = 5 * ROW;

/** What the waiter asks of an underlay. */
export type WaitedUnderlay = Pick<Underlay, "fd" | "writeFd">;

export class LinuxWaiter implements Waiter {
  tapReady = false;
  underlayReady = false;
  readonly #shim = loadShim();
  readonly #tapFd: number;
  readonly #underlay: WaitedUnderlay;
  readonly #wakeFd: number;
  readonly #set = new Int32Array(6 * ROW);
  readonly #spin: SpinPolicy;
  readonly #blocked: BlockedTaps | null;
  /** How the last wait ended, its microseconds, and whether the CPU was wanted. */
  readonly #report = new Int32Array(3);

  /**
   * @param wakeFd an eventfd (`eventOpen`): another thread signals it to end the wait. All three stay the caller's.
   * @param underlay which descriptor to read from, and which to wait on until more can be sent
   * @param spin how long to look before sleeping; left out: not at all
   * @param blocked of several TAPs, whose epoll descriptor `tapFd` is, those to be written; null where it is the TAP's own
   */
  constructor(
    tapFd: number,
    underlay: WaitedUnderlay,
    wakeFd: number,
    spin: SpinPolicy = spinPolicy("off"),
    blocked: BlockedTaps | null = null,
  ) {
    this.#blocked = blocked;
    this.#set[FRAMES_WRITE] = -1;
    this.#set[ANSWERS_WRITE] = -1;
    this.#spin = spin;
    this.#tapFd = tapFd;
    this.#underlay = underlay;
    this.#wakeFd = wakeFd;
    this.#set[WAKE] = wakeFd;
    this.#set[WAKE + EVENTS] = POLLIN;
  }

  wait(
    tapReadable: boolean,
    tapWritable: boolean,
    underlayReadable: boolean,
    underlayWritable: boolean,
    timeout: number,
    hurry = true,
  ): boolean {
    const blocked = this.#blocked;
    this.#want(TAP, this.#tapFd, tapReadable, tapWritable && blocked === null);
    if (blocked !== null) {
      this.#want(FRAMES_WRITE, blocked.frames?.fd ?? -1, false, tapWritable && blocked.frames !== null);
      this.#want(ANSWERS_WRITE, blocked.answers?.fd ?? -1, false, tapWritable && blocked.answers !== null);
    }
    const { fd, writeFd = fd } = this.#underlay;
    this.#want(UNDERLAY, fd, underlayReadable, underlayWritable && writeFd === fd);
    this.#want(UNDERLAY_WRITE, writeFd, false, underlayWritable && writeFd !== fd);
    const { patience } = this.#spin;
    const budget = hurry ? this.#spin.budget : 0;
    const ready = this.#shim.pollSpinning(this.#set, timeout, budget, patience, this.#report);
    const woken = this.#set[WAKE + CAME] !== 0;
    this.tapReady = this.#set[TAP] >= 0 && this.#set[TAP + CAME] !== 0;
    this.underlayReady = this.#set[UNDERLAY] >= 0 && this.#set[UNDERLAY + CAME] !== 0;
    if (woken) this.#shim.eventClear(this.#wakeFd);
    else if (ready > 0 && hurry) {
      this.#spin.learn(this.#report[0] as HowItEnded, this.#report[1]!, this.#report[2] === 1);
    }
    return !woken;
  }

  #want(row: number, fd: number, readable: boolean, writable: boolean): void {
    const events = (readable ? POLLIN : 0) | (writable ? POLLOUT : 0);
    this.#set[row] = events === 0 ? -1 : fd;
    this.#set[row + EVENTS] = events;
  }
}
