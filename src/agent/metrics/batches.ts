/** What the dataplane has counted of batches: how large they were, and how long those took that were timed. */
import type { CounterName, CounterSnapshot, Direction } from "../../dataplane/counters.ts";
import { TOOK } from "../../dataplane/turn-times.ts";
import { histogramSamples } from "./histogram.ts";
import type { Sample } from "./metric.ts";

/** Least sizes of the dataplane's counters of batches: of 1, of 2 and 3, of 4 to 7, … (`dataplane/counters.ts`). */
const BATCHES = { tx: [1, 2, 4, 8, 16, 32, 64], rx: [1, 2, 4, 8] } as const;

/** Of `poplin_batch_size`. */
export function sizes(direction: Direction, stats: CounterSnapshot): Sample[] {
  const from: readonly number[] = BATCHES[direction];
  const counts = from.map((least) => stats[`${direction}Batch${least}` as CounterName]);
  const bounds = from.slice(1).map((least) => least - 1);
  const sum = { tx: stats.txReads, rx: stats.rxDatagrams }[direction];
  return histogramSamples("poplin_batch_size", { direction }, { bounds, counts, sum });
}

/** Of `poplin_batch_duration_seconds`. */
export function durations(direction: Direction, stats: CounterSnapshot): Sample[] {
  const counts = [...TOOK, "Longer" as const].map((most) => stats[`${direction}Took${most}`]);
  const bounds = TOOK.map((micros) => micros / 1e6);
  const sum = stats[`${direction}Nanoseconds`] / 1e9;
  return histogramSamples("poplin_batch_duration_seconds", { direction }, { bounds, counts, sum });
}

/** Of `poplin_timed_processing_seconds_total`. */
export function processing(direction: Direction, stats: CounterSnapshot): Sample {
  return { labels: { direction }, value: stats[`${direction}StageNanoseconds`] / 1e9 };
}
