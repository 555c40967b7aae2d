/** Medians, ranges and percentiles. */

export function median(values) {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function summary(samples) {
  return {
    samples,
    median: median(samples),
    min: samples.length > 0 ? Math.min(...samples) : null,
    max: samples.length > 0 ? Math.max(...samples) : null,
  };
}

/** Value at a fraction of a sorted list: the smallest that at least this part does not exceed. */
export function percentile(sorted, fraction) {
  if (sorted.length === 0) return null;
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * fraction) - 1))];
}

export const PERCENTILES = { p50: 0.5, p90: 0.9, p99: 0.99, p999: 0.999 };

/**
 * Ratio to a reference from interleaved runs: the median of the ratios run by run, so that a machine that drifts
 * drifts for both.
 */
export function ratio(samples, reference) {
  const ratios = samples
    .map((value, i) => value / reference[i])
    .filter((value) => Number.isFinite(value) && value >= 0);
  return ratios.length === 0 ? null : summary(ratios);
}

/** How many values fall in each bin of a logarithmic scale, 20 bins a decade. @returns `[[from, count], …]` */
export function histogram(values, perDecade = 20) {
  const bins = new Map();
  for (const value of values) {
    const bin = Math.floor(Math.log10(Math.max(value, 1e-3)) * perDecade + 1e-9);
    bins.set(bin, (bins.get(bin) ?? 0) + 1);
  }
  return [...bins].sort(([a], [b]) => a - b).map(([bin, count]) => [10 ** (bin / perDecade), count]);
}
