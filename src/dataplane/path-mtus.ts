/**
 * The paths that take less than the overlay's MTU: by VTEP, the largest inner IP packet that gets there whole. Who finds
 * them out is no business of the dataplane's (`agent/path-mtu/`); it is told the whole list anew with each change.
 *
 * Encap reads `smallest` for all frames at once, and a VTEP's own limit only for what is longer.
 */

/** One path that is narrower than the overlay. */
export interface PathLimit {
  /** The VTEP's underlay address, as `VtepTable.describe` writes it. */
  readonly address: string;
  /** The largest inner IP packet that fits. */
  readonly mtu: number;
}

/** No packet is longer: what `smallest` is where no path is narrow. */
export const NO_LIMIT = 0xffff;

export class PathMtus {
  /** The smallest of all limits. */
  smallest = NO_LIMIT;
  /** By VTEP's index: its limit, 0 for none. */
  #limits = new Uint16Array(16);
  #byAddress = new Map<string, number>();

  /** Forgets all limits and takes these. Every VTEP that there is has to be entered again. */
  replace(limits: readonly PathLimit[]): void {
    this.#limits.fill(0);
    this.#byAddress = new Map(limits.map(({ address, mtu }) => [address, mtu]));
    this.smallest = Math.min(NO_LIMIT, ...this.#byAddress.values());
  }

  /** Whether there is a limit at all. */
  get any(): boolean {
    return this.smallest < NO_LIMIT;
  }

  /** Says whose index this is from now on; where there is no limit at all, nobody needs to. */
  enter(vtep: number, address: string): void {
    if (vtep >= this.#limits.length) {
      const longer = new Uint16Array(2 * vtep);
      longer.set(this.#limits);
      this.#limits = longer;
    }
    this.#limits[vtep] = this.#byAddress.get(address) ?? 0;
  }

  /** @returns the largest inner IP packet that gets to a VTEP, 0 when nothing is known to keep it from any */
  limitOf(vtep: number): number {
    return vtep < this.#limits.length ? this.#limits[vtep]! : 0;
  }
}
