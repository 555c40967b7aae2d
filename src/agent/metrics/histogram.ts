/**
 * A histogram for Prometheus that costs a few additions per observation and no package: the package that writes metrics is
 * loaded only when somebody asks for them, and what happened before counts, too.
 */
import type { Meter } from "../../stores/meter.ts";
import type { Sample } from "./metric.ts";

/** Upper bounds in seconds: a file on a local disk takes a millisecond, an etcd in trouble its whole patience. */
export const STORE_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
] as const;

export class Histogram {
  readonly #bounds: readonly number[];
  /** How many fell into each bucket, not added up; the last one has no bound. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const found = this.#bounds.findIndex((bound) => value <= bound);
    this.#counts[found < 0 ? this.#bounds.length : found]! += 1;
    this.#sum += value;
  }

  samples(name: string, labels: Readonly<Record<string, string>>): Sample[] {
    return histogramSamples(name, labels, {
      bounds: this.#bounds,
      counts: [...this.#counts],
      sum: this.#sum,
    });
  }
}

/** What has fallen into the buckets of a histogram: a count for each bound, and one for what is above all. */
export interface Buckets {
  readonly bounds: readonly number[];
  /** Not added up. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** As Prometheus wants it: buckets that count all up to their bound, the sum of what was observed, and its number. */
export function histogramSamples(
  name: string,
  labels: Readonly<Record<string, string>>,
  { bounds, counts, sum }: Buckets,
): Sample[] {
  let total = 0;
  const buckets = counts.map((count, i): Sample => {
    total += count;
    const le = i < bounds.length ? String(bounds[i]) : "+Inf";
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: total };
  });
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: total },
  ];
}

/** What the operations of a store take, by operation. */
export class StoreMeter implements Meter {
  /** "file", "etcd" or "kubernetes". */
  readonly store: string;
  readonly #operations = new Map<string, { readonly time: Histogram; errors: number }>();

  constructor(store: string) {
    this.store = store;
  }

  observe(operation: string, seconds: number, failed: boolean): void {
    let known = this.#operations.get(operation);
    if (known === undefined) {
      known = { time: new Histogram(STORE_BUCKETS), errors: 0 };
      this.#operations.set(operation, known);
    }
    known.time.observe(seconds);
    if (failed) known.errors++;
  }

  /** @param name of the histogram */
  times(name: string): Sample[] {
    return [...this.#operations].flatMap(([operation, { time }]) =>
      time.samples(name, { store: this.store, operation }),
    );
  }

  errors(): Sample[] {
    return [...this.#operations].map(([operation, { errors }]) => ({
      labels: { store: this.store, operation },
      value: errors,
    }));
  }
}
