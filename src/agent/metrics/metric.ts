/** What a metric is: a row of `table.ts`, and what it has at the moment somebody asks. */

/** One line of it. */
export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  /** Of a histogram's line, the name with its ending. */
  readonly metricName?: string;
}

export interface Metric {
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** Without those that a histogram adds. */
  readonly labels: readonly string[];
  /** When it is there at all, where that is not always. */
  readonly only?: string;
}
