/**
 * A strict reader of Prometheus' text format, version 0.0.4: what is not as its specification has it is an error, not
 * something to guess at.
 */

export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly type: string;
  readonly help: string;
  readonly series: Series[];
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`);
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y;

/** @throws Error naming the line */
export function readExposition(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let help: [name: string, text: string] | null = null;
  let current: [name: string, family: Family] | null = null;
  for (const line of text.slice(0, -1).split("\n")) {
    if (line === "") continue;
    const wrong = (why: string): Error => new Error(`${why}: ${line}`);
    const meta = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`).exec(line);
    if (meta?.[1] === "HELP") {
      help = [meta[2]!, meta[3]!];
      current = null;
    } else if (meta !== null) {
      if (help?.[0] !== meta[2]) throw wrong("a TYPE without the HELP before it");
      if (families.has(meta[2]!)) throw wrong("a family twice");
      current = [meta[2]!, { type: meta[3]!, help: help![1], series: [] }];
      families.set(...current);
    } else {
      const [, name, labels = "", number] = SAMPLE.exec(line) ?? [];
      if (name === undefined) throw wrong("no sample");
      if (current === null || !belongs(name, ...current)) throw wrong("a sample outside of its family");
      const value = number === "+Inf" ? Number.POSITIVE_INFINITY : Number(number);
      if (Number.isNaN(value)) throw wrong("no number");
      const series = { name, labels: readLabels(labels, wrong), value };
      const key = `${name}${JSON.stringify(Object.entries(series.labels).sort())}`;
      if (seen.has(key)) throw wrong("a series twice");
      seen.add(key);
      current[1].series.push(series);
    }
  }
  for (const [name, family] of families) check(name, family);
  return families;
}

function belongs(sample: string, name: string, { type }: Family): boolean {
  return type === "histogram"
    ? ["_bucket", "_sum", "_count"].some((end) => sample === name + end)
    : sample === name;
}

function readLabels(text: string, wrong: (why: string) => Error): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const found = LABEL.exec(text);
    if (found === null) throw wrong("no label");
    if (found[1]! in labels) throw wrong("a label twice");
    labels[found[1]!] = JSON.parse(`"${found[2]}"`) as string;
  }
  return labels;
}

function check(name: string, { type, series }: Family): void {
  const wrong = (why: string): Error => new Error(`${name}: ${why}`);
  if (!["counter", "gauge", "histogram"].includes(type)) throw wrong(`a type that we have not: ${type}`);
  if (series.length === 0) throw wrong("no series");
  if ((type === "counter") !== name.endsWith("_total"))
    throw wrong("a counter, and only a counter, ends with _total");
  if (type !== "gauge" && series.some(({ value }) => value < 0)) throw wrong("it counts below 0");
  if (type === "histogram") checkHistogram(series, wrong);
}

function checkHistogram(series: readonly Series[], wrong: (why: string) => Error): void {
  const groups = new Map<string, Series[]>();
  for (const one of series) {
    const { le: _le, ...labels } = one.labels;
    const key = JSON.stringify(labels);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  for (const group of groups.values()) {
    const buckets = group.filter(({ labels }) => labels.le !== undefined);
    const bounds = buckets.map(({ labels }) =>
      labels.le === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels.le),
    );
    const ascending = (all: readonly number[], strictly: boolean) =>
      all.every((n, i) => i === 0 || (strictly ? n > all[i - 1]! : n >= all[i - 1]!));
    if (!ascending(bounds, true) || bounds.at(-1) !== Number.POSITIVE_INFINITY)
      throw wrong("bounds out of order");
    if (
      !ascending(
        buckets.map(({ value }) => value),
        false,
      )
    )
      throw wrong("buckets that do not add up");
    const count = group.find(({ name }) => name.endsWith("_count"));
    if (count?.value !== buckets.at(-1)!.value) throw wrong("a count that is not that of +Inf");
    if (!group.some(({ name }) => name.endsWith("_sum"))) throw wrong("no sum");
  }
}
