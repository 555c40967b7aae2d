/**
 * /metrics, written by prom-client in Prometheus' text format. The module is loaded when somebody asks for the first time:
 * the package costs some 30 ms and 11 MB, which an agent that nobody asks does not spend. Its default metrics are
 * not used; they watch V8's garbage collector and every handle of libuv.
 */
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { type Metric as PromMetric, Registry } from "prom-client";
import type { Page } from "../probes/pages.ts";
import { type Collected, collect, type MetricParts } from "./collect.ts";
import type { Sample } from "./metric.ts";
import { ALL_METRICS } from "./table.ts";

/** Milliseconds between two looks at the clock. */
const RESOLUTION = 20;

export class Metrics {
  readonly #registry = new Registry();
  readonly #lag: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION });
  #collected: Collected = {};

  constructor() {
    this.#lag.enable();
    for (const [name, { type, help }] of Object.entries(ALL_METRICS)) {
      // What the registry asks of a metric when it writes it.
      const get = async () => ({ name, help, type, values: this.#collected[name] ?? [], aggregator: "sum" });
      this.#registry.registerMetric({ name, get } as unknown as PromMetric);
    }
  }

  /** @param parts but the event loop's lag, which is known here */
  async page(parts: Omit<MetricParts, "lag">): Promise<Page> {
    this.#collected = await collect({ ...parts, lag: this.#late() });
    const text = await this.#registry.metrics();
    return { status: 200, type: this.#registry.contentType, text: withoutEmpty(text, this.#collected) };
  }

  /** Since the last time; what is on time is late by the resolution. */
  #late(): Record<string, number> {
    const lag = this.#lag;
    const seconds = (nanoseconds: number): number =>
      lag.count === 0 ? 0 : Math.max(0, nanoseconds / 1e9 - RESOLUTION / 1e3);
    const late = {
      p50: seconds(lag.percentile(50)),
      p99: seconds(lag.percentile(99)),
      max: seconds(lag.max),
    };
    lag.reset();
    return late;
  }

  close(): void {
    this.#lag.disable();
  }
}

/** A family that has no samples here (a store's, without a store) is not named either. */
function withoutEmpty(text: string, collected: Readonly<Record<string, readonly Sample[]>>): string {
  const blocks = text.trimEnd().split("\n\n");
  const has = (block: string): boolean =>
    (collected[/^# HELP (\S+)/.exec(block)?.[1] ?? ""]?.length ?? 0) > 0;
  return `${blocks.filter(has).join("\n\n")}\n`;
}
