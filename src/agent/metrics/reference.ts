/** `docs/metrics.md`, made of the table. */
import { EVERY } from "../../dataplane/turn-times.ts";
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
    "## Processing time",
    "",
    `Each thread of the dataplane times one turn in ${EVERY} of those that moved something, all overlays together:`,
    "",
    "| of a direction | is |",
    "|---|---|",
    "| `rate(poplin_batch_duration_seconds_sum[5m]) / rate(poplin_timed_packets_total[5m])` | a packet's time, its share of the system calls included |",
    "| `rate(poplin_timed_processing_seconds_total[5m]) / rate(poplin_timed_packets_total[5m])` | what poplin itself takes for a packet: encap or decap |",
    "| `histogram_quantile(0.99, rate(poplin_batch_duration_seconds_bucket[5m]))` | what 99 of 100 batches stay below, from before the read until after the last write |",
    "",
    "A system call's time is all that the kernel does in it: a write to the TAP can take a packet up to the socket of whoever",
    "gets it. The clock is the wall's, so time in which the thread had no CPU counts, too. What is not in it: the thread's wait",
    "for packets, and theirs in the kernel's queues. A super-frame that is passed on whole is one packet here, and so is a message",
    "that a port refuses; what encap or decap drops takes its time and is none.",
    "",
  ].join("\n");
}
