/** A walk on a terminal: hop by hop in lines of at most 80 columns. */
import type { Difference } from "./compare.ts";
import { byteRows } from "./hexdump.ts";
import { type Paint, painter, WIDTH, wrap } from "./paint.ts";
import { type Hop, type Step, steps, type TwinDifference } from "./walk.ts";

const MARGIN = "    ";

export function walkLines(hops: readonly Hop[], color = false): string[] {
  const paint = painter(color);
  const all = steps(hops);
  const lines = all.flatMap((step, i) => [...stepLines(step, i, paint), ""]);
  const last = all.at(-1);
  return last === undefined
    ? []
    : [...lines, `${microseconds(last.hop.time)} from the first interface to the last`];
}

function stepLines(step: Step, i: number, paint: Paint): string[] {
  const { hop, took } = step;
  const place = `${String(i + 1).padStart(2)}  ${hop.host} ${hop.device} ${hop.direction}`;
  const time = i === 0 ? "" : `+${microseconds(took)}`.padStart(Math.max(1, WIDTH - place.length));
  const isTunnelled = step.explanation.parts.some(({ tone }) => tone === "tunnel");
  return [
    paint(isTunnelled ? "tunnel" : "inner", place) + time,
    ...wrap(MARGIN, hop.what.split(" ")),
    ...(step.isChanged ? byteRows(step.explanation, paint).map((row) => MARGIN + row) : []),
    ...stepWords(step).flatMap((line) => {
      const [, first = "", rest = line] = /^(\w+: )(.*)$/.exec(line) ?? [];
      return wrap(`${MARGIN}${first}`, rest.split(" "));
    }),
  ];
}

/** What there is to say of a hop beside what it is: a line each. */
export function stepWords(step: Step): string[] {
  const { hop, ipBytes, changes } = step;
  const room = hop.mtu - ipBytes;
  const budget = room >= 0 ? `${room} bytes free` : `${-room} bytes too many`;
  return [
    `${sizeWords(step)}; IP packet ${ipBytes} of MTU ${hop.mtu}, ${budget}`,
    ...changes.map((change) => `changed: ${changeWords(change)}`),
    ...hop.because.map((row) => `because: ${row}`),
  ];
}

function sizeWords({ hop, grown, isChanged }: Step): string {
  const { length } = hop.bytes;
  if (grown === 0) return isChanged ? `${length} bytes` : `the same ${length} bytes`;
  return `${length} bytes, ${Math.abs(grown)} ${grown > 0 ? "put around it" : "taken off"}`;
}

function changeWords({ field, before, after }: Difference): string {
  return `${field.id} ${before ?? "not there"} → ${after ?? "not there"}`;
}

/** What is different in the kernel's datagram of the same frame, and why. */
export function twinLines(found: readonly TwinDifference[]): string[] {
  if (found.length === 0) return ["the kernel's datagram is the same, byte for byte"];
  return found.flatMap(({ field, before, after, reason }) => [
    ...wrap("", `${field.id}: kernel ${before ?? "none"}, poplin ${after ?? "none"}`.split(" ")),
    ...(reason === "" ? [] : wrap(MARGIN, reason.split(" "))),
  ]);
}

function microseconds(nanoseconds: number): string {
  return `${(nanoseconds / 1000).toFixed(nanoseconds < 10_000 ? 1 : 0)} µs`;
}
