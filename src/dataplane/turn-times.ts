/**
 * How long a batch takes, in counters: a histogram of its durations, and of the same batches the packets that left and the
 * time in the stage. A look at the clock costs some 50 ns and 16 bytes (V8 puts its result on the heap), and so one turn in
 * `EVERY` that moved something is timed:
 *
 *   rx   begin ─▶ recvBatch ─▶ enter, decap, leave ─▶ tap.writeBatch ─▶ end
 *   tx            tap.readBatch ─▶ enter, encap, leave ─▶ sendBatch ─▶ end
 *
 * Every other turn pays for a few branches and a decrement. The clock is the wall's: what somebody else did with the CPU
 * meanwhile is in it. The waits between two turns are not.
 */
import { type Counters, counterIndex, type Direction } from "./counters.ts";

/** Turns that moved something to one that is timed. A prime: what comes round every so many turns is not always met. */
export const EVERY = 61;

/** Upper bounds of the counters `txTook…` and `rxTook…`, in microseconds; what takes longer is in `…TookLonger`. */
export const TOOK = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000] as const;

/** Where the counters of one direction lie. */
interface Places {
  readonly took: number;
  readonly packets: number;
  readonly nanoseconds: number;
  readonly stage: number;
}

export class TurnTimes {
  /** Packets that have left; whoever sends them adds them here. */
  packets = 0;
  readonly #values: Float64Array;
  readonly #now: () => number;
  readonly #places: Readonly<Record<Direction, Places>> = { tx: placesOf("tx"), rx: placesOf("rx") };
  /** Turns that are not timed before the next one that is. The first turns of a process are compiled while they run. */
  #untimed = EVERY - 1;
  #since = 0;
  #entered = 0;
  /** Milliseconds in the stage. */
  #stage = 0;

  /** @param now milliseconds of a clock that never goes back */
  constructor(counters: Pick<Counters, "values">, now: () => number = () => performance.now()) {
    this.#values = counters.values;
    this.#now = now;
  }

  /** A turn begins. */
  begin(): void {
    if (this.#untimed === 0) this.#start(this.#now());
  }

  /** Encap or decap has packets. */
  enter(): void {
    if (this.#untimed === 0) this.#entered = this.#now();
  }

  leave(): void {
    if (this.#untimed === 0) this.#stage += this.#now() - this.#entered;
  }

  /** One direction of the turn is done; the other one begins. @param moved packets that were read or written */
  end(direction: Direction, moved: number): void {
    if (this.#untimed === 0) this.#count(direction, moved);
  }

  /** The turn is over. @param moved packets of both directions: a turn without any does not count */
  turned(moved: number): void {
    if (moved > 0) this.#untimed = this.#untimed === 0 ? EVERY - 1 : this.#untimed - 1;
  }

  #start(now: number): void {
    this.#since = now;
    this.#stage = 0;
    this.packets = 0;
  }

  #count(direction: Direction, moved: number): void {
    const now = this.#now();
    if (moved > 0) {
      const { took, packets, nanoseconds, stage } = this.#places[direction];
      const nanos = Math.round((now - this.#since) * 1e6);
      this.#values[took + bucketOf(nanos)]! += 1;
      this.#values[nanoseconds]! += nanos;
      this.#values[stage]! += Math.round(this.#stage * 1e6);
      this.#values[packets]! += this.packets;
    }
    this.#start(now);
  }
}

function placesOf(direction: Direction): Places {
  return {
    took: counterIndex(`${direction}Took${TOOK[0]}`),
    packets: counterIndex(`${direction}TimedPackets`),
    nanoseconds: counterIndex(`${direction}Nanoseconds`),
    stage: counterIndex(`${direction}StageNanoseconds`),
  };
}

/** @returns the place of the first bound that is not exceeded; the one after all where there is none */
function bucketOf(nanos: number): number {
  let i = 0;
  while (i < TOOK.length && nanos > TOOK[i]! * 1000) i++;
  return i;
}
