/**
 * The tables of a kernel and of a dataplane, as small as they can be, and an executor that changes them: what plans are
 * held against. It knows nothing of leases.
 */
import type { Executor } from "../../src/control/apply.ts";
import type { ActualRows } from "../../src/control/difference.ts";
import { describeStep, type RouteRow, type Step } from "../../src/control/rows.ts";

export class Model implements Executor {
  readonly neighbours = new Map<string, string>();
  readonly fdbRows = new Map<string, { dst: string; port: number }>();
  /** In the kernel's order; several to a subnet can be there (`ip route append`). */
  readonly routes: RouteRow[] = [];
  readonly addresses = new Set<string>();
  /** Steps that fail, as `describeStep` writes them. */
  readonly failing = new Set<string>();
  /** Called after every step that was done. */
  onStep: () => void = () => {};
  /** Every call, as lines. */
  readonly calls: string[][] = [];

  async host(steps: readonly Step[]): Promise<(string | null)[]> {
    return this.#all(steps);
  }

  async fdb(steps: readonly Step[]): Promise<(string | null)[]> {
    return this.#all(steps);
  }

  actual(): ActualRows {
    return {
      neighbours: [...this.neighbours].map(([address, mac]) => ({ address, mac })),
      routes: [...this.routes],
      fdb: [...this.fdbRows].map(([mac, target]) => ({ mac, ...target })),
      addresses: [...this.addresses],
    };
  }

  #all(steps: readonly Step[]): (string | null)[] {
    this.calls.push(steps.map(describeStep));
    return steps.map((step) => {
      if (this.failing.has(describeStep(step))) return "made to fail";
      const reason = this.#do(step);
      this.onStep();
      return reason;
    });
  }

  #do(step: Step): string | null {
    const put = step.op === "replace";
    switch (step.table) {
      case "neighbour":
        if (put) this.neighbours.set(step.address, step.mac);
        else this.neighbours.delete(step.address);
        return null;
      case "fdb":
        if (put) this.fdbRows.set(step.mac, { dst: step.dst, port: step.port });
        else this.fdbRows.delete(step.mac);
        return null;
      case "route":
        return this.#doRoute(step);
      case "address":
        if (put) this.addresses.add(step.cidr);
        else this.addresses.delete(step.cidr);
        return null;
    }
  }

  /** As `fib_table_insert` and `fib_table_delete` do: what is replaced is the first route to the subnet. */
  #doRoute({ op, subnet, via, dev }: Step & { table: "route" }): string | null {
    const row = dev === undefined ? { subnet, via } : { subnet, via, dev };
    const first = this.routes.findIndex((one) => one.subnet === subnet);
    if (op === "del") {
      const at = this.routes.findIndex((one) => JSON.stringify(one) === JSON.stringify(row));
      if (at < 0) return "No such process";
      this.routes.splice(at, 1);
    } else if (op === "add" && first >= 0) {
      return "File exists";
    } else {
      this.routes.splice(first < 0 ? this.routes.length : first, first < 0 ? 0 : 1, row);
    }
    return null;
  }
}
