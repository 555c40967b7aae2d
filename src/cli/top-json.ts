/** A turn of `poplin top -j`: one object, rates per second. */
import type { Direction } from "../dataplane/counters.ts";
import type { Flow, Rates, Sample } from "./top-rates.ts";

/** `rates` is null in the object, too, where there is nothing to compare with. */
export function ratesJson({
  sample,
  rates,
}: {
  readonly sample: Sample;
  readonly rates: Rates | null;
}): object {
  const { schema, pid, state, uptime, memory } = sample.status;
  const agent = { pid, state, uptime, rss: memory.rss };
  const at = new Date().toISOString();
  if (rates === null) return { schema, at, agent, rates: null };
  const { seconds, total, devices, threads } = rates;
  const cpu = threads.reduce((sum, thread) => sum + thread.cpu, 0);
  return {
    schema,
    at,
    agent: { ...agent, cpu, threads },
    rates: {
      seconds,
      total: flowsJson(total),
      devices: devices.map(({ dev, vni, fdb, ...flows }) => ({ dev, vni, fdb, ...flowsJson(flows) })),
    },
  };
}

function flowsJson({ tx, rx }: Readonly<Record<Direction, Flow>>): Record<Direction, Flow> {
  return { tx, rx };
}
