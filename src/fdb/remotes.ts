/**
 * Rows with several remotes: where the kernel's VXLAN allows more than one (`bridge fdb append`), for a MAC that is a
 * group's and for the one that is all zeros, which stands for every MAC without a row of its own.
 *
 * Such a row's VTEP word is the number of a set, from `SETS` on. A set is an Int32Array of VTEP indices, in the order
 * in which they were appended. A change makes a new array: a frame that is half way through the old one goes on in it.
 */

/** The first number that is a set's and no VTEP's. */
export const SETS = 0x4000_0000;

const NONE = new Int32Array(0);

export class RemoteSets {
  readonly #sets: Int32Array[] = [];
  readonly #free: number[] = [];

  /** @param set a number that `create` returned. @returns its VTEPs, none for one that was dropped */
  of(set: number): Int32Array {
    return this.#sets[set - SETS] ?? NONE;
  }

  /** @returns the number of a new set that holds `vtep` alone */
  create(vtep: number): number {
    const set = this.#free.pop() ?? this.#sets.length;
    this.#sets[set] = Int32Array.of(vtep);
    return set + SETS;
  }

  /** Adds a VTEP behind the others. @returns false when it is there already, and nothing changed */
  append(set: number, vtep: number): boolean {
    const before = this.of(set);
    if (before.includes(vtep)) return false;
    this.#sets[set - SETS] = Int32Array.of(...before, vtep);
    return true;
  }

  /** Takes a VTEP out. @returns how many are left, −1 when it was not there */
  remove(set: number, vtep: number): number {
    const before = this.of(set);
    if (!before.includes(vtep)) return -1;
    const after = before.filter((one) => one !== vtep);
    this.#sets[set - SETS] = after;
    return after.length;
  }

  /** Forgets a set; its number is another's then. */
  drop(set: number): void {
    this.#sets[set - SETS] = NONE;
    this.#free.push(set - SETS);
  }
}
