/**
 * The tables of a kernel and of a dataplane, as small as they can be, and an executor that changes them: what plans are
 * held against. It knows nothing of leases.
 */
import type { Executor } from "../../src/control/apply.ts";
import type { ActualRows } from "../../src/control/difference.ts";
import { describeStep, type Step } from "../../src/control/rows.ts";

export class Model implements Executor {
  readonly neighbours = new Map<string, string>();
  readonly fdbRows = new Map<string, { dst: string; port: number }>();
  readonly routes = new Map<string, string>();
  readonly addresses = new Set<string>();
  /** Steps that fail, as `describeStep` writes them. */
  readonly failing = new Set<string>();
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
      routes: [...this.routes].map(([subnet, via]) => ({ subnet, via })),
      fdb: [...this.fdbRows].map(([mac, target]) => ({ mac, ...target })),
      addresses: [...this.addresses],
    };
  }

  #all(steps: readonly Step[]): (string | null)[] {
    this.calls.push(steps.map(describeStep));
    return steps.map((step) => {
      if (this.failing.has(describeStep(step))) return "made to fail";
      this.#do(step);
      return null;
    });
  }

  #do(step: Step): void {
    const put = step.op === "replace";
    switch (step.table) {
      case "neighbour":
        if (put) this.neighbours.set(step.address, step.mac);
        else this.neighbours.delete(step.address);
        return;
      case "fdb":
        if (put) this.fdbRows.set(step.mac, { dst: step.dst, port: step.port });
        else this.fdbRows.delete(step.mac);
        return;
      case "route":
        if (put) this.routes.set(step.subnet, step.via);
        else this.routes.delete(step.subnet);
        return;
      case "address":
        if (put) this.addresses.add(step.cidr);
        else this.addresses.delete(step.cidr);
    }
  }
}
