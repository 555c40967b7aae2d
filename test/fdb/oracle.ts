/** The slow and obvious forwarding database and VTEP table, in Maps keyed by text: what the fast ones must agree with. */

export class FdbOracle {
  readonly rows = new Map<string, number>();

  static key(vni: number, hi: number, lo: number): string {
    return `${vni}/${hi}/${lo}`;
  }

  lookup(vni: number, hi: number, lo: number): number {
    return this.rows.get(FdbOracle.key(vni, hi, lo)) ?? -1;
  }

  add(vni: number, hi: number, lo: number, vtep: number): boolean {
    if (this.lookup(vni, hi, lo) >= 0) return false;
    this.rows.set(FdbOracle.key(vni, hi, lo), vtep);
    return true;
  }

  replace(vni: number, hi: number, lo: number, vtep: number): number {
    const before = this.lookup(vni, hi, lo);
    this.rows.set(FdbOracle.key(vni, hi, lo), vtep);
    return before;
  }

  delete(vni: number, hi: number, lo: number): number {
    const before = this.lookup(vni, hi, lo);
    this.rows.delete(FdbOracle.key(vni, hi, lo));
    return before;
  }
}

interface Held {
  readonly address: string;
  readonly port: number;
  references: number;
}

/** The indices are the fast table's to choose; the oracle checks that they are unique and stay. */
export class VtepOracle {
  readonly held = new Map<number, Held>();

  acquire(index: number, address: Uint8Array, port: number): void {
    const text = address.join(".");
    for (const [other, row] of this.held) {
      if (row.address !== text || row.port !== port) continue;
      if (other !== index) throw new Error(`${text}:${port} has index ${other} and got ${index} too`);
      row.references++;
      return;
    }
    if (this.held.has(index)) throw new Error(`index ${index} is another VTEP's`);
    this.held.set(index, { address: text, port, references: 1 });
  }

  release(index: number): void {
    const row = this.held.get(index)!;
    row.references--;
    if (row.references === 0) this.held.delete(index);
  }

  /** Every index with that address. */
  find(address: Uint8Array): number[] {
    const text = address.join(".");
    return [...this.held].filter(([, row]) => row.address === text).map(([index]) => index);
  }
}
