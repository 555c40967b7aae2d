/** `poplin top` as text, for 80 columns: who runs, what each overlay moves and drops per second. */
import { DROP_REASONS } from "../dataplane/drops.ts";
import { bytes, count, duration, hang, paint, type Style, table } from "./output.ts";
import { dropRate, type Flow, type Rates, type Sample } from "./top-rates.ts";

/** Rates that are remembered, for the curves and for drops that are over. */
export const MOST_REMEMBERED = 60;
/** Threads that are named, the busiest first. */
const NAMED_THREADS = 4;

/** What there is to show: the latest answer, and the rates until then, the latest last. */
export interface TopView {
  readonly sample: Sample;
  /** Null where there is nothing to compare with yet. */
  readonly rates: Rates | null;
  readonly history: readonly Rates[];
}

/** @param clock the time of day, for the first line */
export function topLines(view: TopView, clock: string, style: Style): string[] {
  const { sample, rates, history } = view;
  const head = headLines(sample, rates, clock, style);
  if (rates === null) return [...head, "", "counting: rates come with the next answer"];
  return [
    ...head,
    "",
    ...deviceLines(sample, rates, style),
    "",
    ...curves(history, style),
    "",
    ...drops(view, style),
  ];
}

function headLines({ status }: Sample, rates: Rates | null, clock: string, style: Style): string[] {
  const state = paint(style, status.state === "running" ? "green" : "yellow", status.state);
  return [
    `${paint(style, "bold", "poplin top")}  agent ${status.pid} ${state}, up ${duration(status.uptime)}  ${clock}`,
    ...resources(status.memory.rss, rates, status.pid, style),
  ];
}

/** "memory 61.2 MiB  CPU 31.2 %: 4722 30.7, main 0.5". Node 20 calls all of its threads "node", which says nothing. */
function resources(rss: number, rates: Rates | null, pid: number, style: Style): string[] {
  const memory = `memory ${bytes(rss)}`;
  if (rates === null) return [memory];
  const percent = (cpu: number): string => (cpu * 100).toFixed(1);
  const sum = rates.threads.reduce((total, { cpu }) => total + cpu, 0);
  const named = rates.threads.slice(0, NAMED_THREADS).map(({ tid, name, cpu }) => {
    const thread = tid === pid ? "main" : `${name === "node" ? "thread" : name} ${tid}`;
    return `${thread} ${percent(cpu)}`;
  });
  const first = `${memory}  CPU ${percent(sum)} %`;
  return named.length === 0 ? [first] : hang(`${first}: `, named.join(", "), style.width);
}

function deviceLines({ meant }: Sample, { devices, total, seconds }: Rates, style: Style): string[] {
  const right = (title: string) => ({ title, align: "right" }) as const;
  const columns = [
    { title: "DEVICE" },
    right("VNI"),
    ...["TX/s", "bit/s", "BATCH", "RX/s", "bit/s", "BATCH", "DROPS", "FDB"].map(right),
  ];
  const rows = devices.map(({ dev, vni, fdb, tx, rx }) => [
    dev,
    String(vni),
    ...flowCells(tx),
    ...flowCells(rx),
    short(dropRate(tx) + dropRate(rx)),
    fdb === null ? "-" : short(fdb),
  ]);
  const sum = [
    "together",
    "",
    ...flowCells(total.tx),
    ...flowCells(total.rx),
    short(dropRate(total.tx) + dropRate(total.rx)),
  ];
  const more = meant - devices.length;
  return [
    ...table(columns, meant > 1 ? [...rows, sum] : rows, style),
    ...(more > 0 ? [`and ${count(more)} more, which are in the sum: name one with \`dev NAME\``] : []),
    paint(style, "dim", `per second, over the last ${seconds.toFixed(1)} s; tx: overlay to underlay`),
  ];
}

function flowCells({ packets, bits, batch }: Flow): string[] {
  return [short(packets), short(bits), batch === null ? "-" : batch.toFixed(batch < 99.95 ? 1 : 0)];
}

/** 1234567 → "1.23M", 0.01 → "<0.1": four to five columns, whatever the number. */
export function short(n: number): string {
  const units = ["", "k", "M", "G", "T"];
  let unit = 0;
  let value = n;
  if (n > 0 && n < 0.05) return "<0.1";
  // 999.5 and above would print as 1000
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  if (unit === 0)
    return value > 0 && value < 9.95 && !Number.isInteger(value)
      ? value.toFixed(1)
      : String(Math.round(value));
  return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)}${units[unit]}`;
}

const BARS = "▁▂▃▄▅▆▇█";

/** A bar for each number, as high as its part of the largest one; zero is the lowest. */
export function sparkline(numbers: readonly number[], most = Math.max(0, ...numbers)): string {
  return numbers.map((n) => BARS[most <= 0 ? 0 : Math.ceil((n / most) * (BARS.length - 1))]!).join("");
}

/** Both directions' bit/s, over as many turns as fit. */
function curves(history: readonly Rates[], style: Style): string[] {
  return (["tx", "rx"] as const).map((direction) => {
    const bits = history.map(({ total }) => total[direction].bits);
    const label = `${direction} bit/s, most ${short(Math.max(0, ...bits)).padEnd(5)} `;
    const room = Math.max(1, style.width - label.length);
    return label + paint(style, "cyan", sparkline(bits.slice(-room), Math.max(0, ...bits)));
  });
}

/** Reasons that dropped something in what is remembered: now, and since the agent's start. */
function drops({ rates, history }: TopView, style: Style): string[] {
  const rows = (["tx", "rx"] as const).flatMap((direction) => {
    const recent = DROP_REASONS.filter((reason) =>
      history.some(({ total }) => (total[direction].drops[reason] ?? 0) > 0),
    );
    return recent.map((reason) => [
      short(rates!.total[direction].drops[reason] ?? 0),
      count(rates!.dropped[direction][reason] ?? 0),
      direction,
      reason,
    ]);
  });
  const seen = history.reduce((sum, { seconds }) => sum + seconds, 0);
  if (rows.length === 0) return [`nothing dropped in the last ${duration(Math.max(1, Math.round(seen)))}`];
  const columns = [
    { title: "DROPS", align: "right" },
    { title: "SINCE START", align: "right" },
    { title: "" },
    { title: "REASON (`poplin stats` explains it)" },
  ] as const;
  return table(columns, rows, style);
}
