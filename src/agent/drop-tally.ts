/**
 * How many drops nobody was told of one by one: what the counters say, less what was told. So whoever listens knows of
 * each, also of those that nobody saw (the kernel's) and of those that were like others.
 */
import type { CounterSnapshot, Direction } from "../dataplane/counters.ts";
import type { DropReason } from "../dataplane/drops.ts";

/** Of an overlay: what its counters say. */
export type Drops = CounterSnapshot["drops"];

export interface RestOfDrops {
  readonly direction: Direction;
  readonly reason: DropReason;
  readonly count: number;
}

/** The drops of one overlay, from its start on. */
export class DropTally {
  /** What has been told until now, the drops from before the start among it. */
  readonly #told: Record<Direction, Partial<Record<DropReason, number>>>;

  /** @param drops what there were before */
  constructor({ tx, rx }: Drops) {
    this.#told = { tx: { ...tx }, rx: { ...rx } };
  }

  /** One was told. */
  told(direction: Direction, reason: DropReason, count = 1): void {
    const told = this.#told[direction];
    told[reason] = (told[reason] ?? 0) + count;
  }

  /**
   * Those that nobody has been told of, who is told of them now. A drop is told before it is counted: so the counters are
   * to be read before the rings, and this is to be called once those have been read.
   */
  rest(now: Drops): RestOfDrops[] {
    return (["tx", "rx"] as const).flatMap((direction) =>
      Object.entries(now[direction]).flatMap(([name, total]) => {
        const reason = name as DropReason;
        const count = total - (this.#told[direction][reason] ?? 0);
        // Less than none: some that were told meanwhile are counted next time.
        if (count <= 0) return [];
        this.told(direction, reason, count);
        return [{ direction, reason, count }];
      }),
    );
  }
}
