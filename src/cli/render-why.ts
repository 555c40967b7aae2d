/** `poplin fdb why` as text: where a row came from, and the packet that taught it. */
import type { FdbReasonJson } from "../agent/api/answers.ts";
import type { FdbRow, LearnedRow } from "../dataplane/options.ts";
import { summarize } from "../teach/summary.ts";
import { fromHex } from "../wire/bytes.ts";
import type { RowLease } from "./fdb-words.ts";
import { ago, duration, hang, paint, plural, type Style } from "./output.ts";

/**
 * @param reasons of one MAC, at least one: several where it has several VTEPs, or rows in several overlays
 * @param leaseOf the lease that a row is there for
 * @param now milliseconds since 1970
 */
export function whyLines(
  reasons: readonly FdbReasonJson[],
  leaseOf: (row: FdbReasonJson["row"]) => RowLease | undefined,
  style: Style,
  now: number,
): string[] {
  const several = new Set(reasons.map(({ row }) => row.dev)).size > 1;
  return reasons.flatMap(({ row, lesson }) => [
    `${paint(style, "bold", row.mac)}${several ? ` dev ${row.dev}` : ""} is behind ${row.dst}, port ${row.port}: ${row.state}`,
    ...(row.learned === undefined ? fixed(leaseOf(row), now) : history(row.learned)).flatMap((text) =>
      hang("  ", text, style.width),
    ),
    ...(row.state === "learned" ? packet(row, lesson, style, now) : []),
  ]);
}

function fixed(lease: RowLease | undefined, now: number): string[] {
  const from =
    lease === undefined
      ? "from the configuration or by `poplin fdb`"
      : `from the lease ${lease.key}, first heard of ${ago(lease.since, now)}`;
  return [`${from}: it does not age, and no frame moves it`];
}

function history({ idle, age, moved, moves }: LearnedRow): string[] {
  const last = `learned ${duration(age)} ago, last heard of ${idle === 0 ? "just now" : `${duration(idle)} ago`}`;
  if (moved === null) return [last, "never moved"];
  return [last, `moved ${plural(moves, "time")}, the last time ${duration(moved)} ago`];
}

function packet(row: FdbRow, lesson: FdbReasonJson["lesson"], style: Style, now: number): string[] {
  if (lesson === null)
    return hang("  ", `the packet that said ${row.dst} is no longer remembered`, style.width);
  const { at, address, port, length } = lesson;
  // The frame is kept in part, so its end is no news.
  const [summary] = summarize(fromHex(lesson.frame)).split(/, \d+ bytes?/);
  return [
    ...hang("  ", `by a packet from ${address} port ${port}, ${ago(at, now)}:`, style.width),
    ...hang("    ", `${summary}, ${plural(length, "byte")}`, style.width),
  ];
}
