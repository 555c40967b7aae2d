/** Options: type, length, data, one after the other, in IPv4, TCP, IPv6 and neighbour discovery. */
import { decode } from "./decode.ts";
import type { HeaderTable } from "./field.ts";
import { IPV4_OPTION, IPV4_OPTIONS } from "./ipv4-options.ts";
import { IPV6_OPTION, IPV6_OPTIONS } from "./ipv6-extensions.ts";
import { ND_OPTION, ND_OPTIONS } from "./nd-options.ts";
import { TCP_OPTION, TCP_OPTIONS } from "./tcp-options.ts";
import type { Walk } from "./walk.ts";

/** How a protocol writes its options. */
export interface OptionStyle {
  readonly tables: Readonly<Record<number, HeaderTable>>;
  /** For types that have no table, and options whose length does not fit theirs. */
  readonly other: HeaderTable;
  /** Types that are a single byte. */
  readonly single: ReadonlySet<number>;
  /** The type after which only padding follows, −1 when there is none. */
  readonly last: number;
  /** Bytes in an option, from its length byte. */
  readonly size: (length: number) => number;
}

export const IPV4_STYLE: OptionStyle = {
  tables: IPV4_OPTIONS,
  other: IPV4_OPTION,
  single: new Set([0, 1]),
  last: 0,
  size: (length) => length,
};
export const TCP_STYLE: OptionStyle = { ...IPV4_STYLE, tables: TCP_OPTIONS, other: TCP_OPTION };
export const IPV6_STYLE: OptionStyle = {
  tables: IPV6_OPTIONS,
  other: IPV6_OPTION,
  single: new Set([0]),
  last: -1,
  size: (length) => length + 2,
};
export const ND_STYLE: OptionStyle = {
  tables: ND_OPTIONS,
  other: ND_OPTION,
  single: new Set(),
  last: -1,
  size: (length) => length * 8,
};

/** Explains the options in [at, end). */
export function walkOptions(walk: Walk, style: OptionStyle, start: number, end: number): void {
  const { bytes } = walk;
  let at = start;
  while (at < end) {
    const type = bytes[at]!;
    const single = style.single.has(type);
    if (!single && at + 2 > end) {
      walk.span("unexplained", at, end, "an option without its length");
      walk.malformed(at, `option ${type} has no room for its length`);
      return;
    }
    const size = single ? 1 : style.size(bytes[at + 1]!);
    if (!single && (size < 2 || at + size > end)) {
      walk.span("unexplained", at, end, "an option with a wrong length");
      walk.malformed(at, `option ${type} says it is ${size} bytes long, between 2 and ${end - at} fit`);
      return;
    }
    walk.header(optionTable(style, type, bytes, at, size), at, at + size);
    at += size;
    if (type === style.last) {
      walk.span("padding", at, end, "after the last option");
      return;
    }
  }
}

/** The table of the option's type, if the option is as long as that table says. */
function optionTable(
  style: OptionStyle,
  type: number,
  bytes: Uint8Array,
  at: number,
  size: number,
): HeaderTable {
  const table = style.tables[type];
  if (!table) return style.other;
  const { length, truncated } = decode(table, bytes, at, at + size);
  return !truncated && length === size ? table : style.other;
}
