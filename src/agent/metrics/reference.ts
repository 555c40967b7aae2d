/** `docs/metrics.md`, made of the table. */
import type { Metric } from "./metric.ts";
import { ALL_METRICS } from "./table.ts";

export function metricsReference(): string {
  const row = ([name, { type, labels, help, only }]: [string, Metric]): string => {
    const words = labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${type} | ${words} | ${help}${only === undefined ? "" : ` (${only})`} |`;
  };
  return [
    "# Metrics",
    "",
    "What `/metrics` of an agent has, for Prometheus: on `healthAddress`, on flanneld's `--healthz-port`, and on the API's",
    "socket. Made from `src/agent/metrics/table.ts`. [docs/service.md](service.md) says how to have them scraped, which",
    "alerts there are, and what the dashboard shows.",
    "",
    "| metric | type | labels | what |",
    "|---|---|---|---|",
    ...Object.entries(ALL_METRICS).map(row),
    "",
    "Counters begin anew with the process, and those of the dataplane also when its device is made anew",
    "(`poplin_device_rebuilds_total`); `rate` and `increase` know how to deal with that. A frame of the self-probe is in none",
    "of them but `poplin_self_probes_total`.",
    "",
  ].join("\n");
}
