/** What the cluster suite has measured, in words and as rows. */
import { median } from "../measure/stats.mjs";
import { digits } from "../tests/metrics.mjs";
import { percent } from "./charts/soak.mjs";

export const COLUMNS = ["store", "at once", "join, s", "MAC, s", "leave, s", "CPU-s per 1k"];

/** Medians by store and by how many leases change at once. */
export function clusterRows({ stores }) {
  return stores.flatMap(({ name, rounds = [] }) =>
    [...new Set(rounds.map(({ size }) => size))].map((size) => {
      const same = rounds.filter((one) => one.size === size);
      const cell = (figure) => digits(median(same.map((one) => one[figure])));
      return [name, String(size), ...["join", "change", "leave", "cpu"].map(cell)];
    }),
  );
}

/** A sentence or two for each store. */
export function clusterMemory({ stores }) {
  return stores.map(({ name, problem, memory, flat, growth }) => {
    if (problem !== undefined) return `${name}: not measured: ${problem}`;
    const { before, peak, after } = memory;
    const mb = (bytes) => `${Math.round(bytes / 1e6)} MB`;
    const text = `${name}: ${mb(before)} at rest before, ${mb(peak)} at most, ${mb(after)} at rest after`;
    if (flat === null) return text;
    return `${text}; ${flat ? "flat" : "**not flat**"} (${percent(growth)})`;
  });
}
