/**
 * The way through a packet: which bytes have been explained, and what is left to explain.
 *
 * Layers (`walk-*.ts`) are functions from a place to the next place. A layer that says how long it is narrows what
 * the layers inside may read; the bytes it leaves over are kept as trailers and reported at the end, innermost
 * first, so that the parts of a packet lie side by side and cover every byte once.
 */
import { type DecodedHeader, decode } from "./decode.ts";
import type { HeaderTable } from "./field.ts";

export type LayerName =
  | "ethernet"
  | "vlan"
  | "arp"
  /** IPv4 or IPv6, whichever the first four bits say. */
  | "ip"
  | "ipv4"
  | "ipv6"
  | "udp"
  | "tcp"
  | "icmp"
  | "icmpv6"
  /** What a VXLAN socket receives: a VXLAN header and an inner frame. */
  | "udp-payload";

/** Where to go on. */
export interface Step {
  readonly layer: LayerName;
  readonly at: number;
  readonly end: number;
}

/** What a layer returns: where to go on, or null when the rest is dealt with. */
export type Next = Step | null;
export type Layer = (walk: Walk, at: number, end: number) => Next;

interface InPacket {
  /** How many VXLAN headers lie before: 0 the outer packet, 1 the inner. */
  readonly level: number;
  /** Whether it belongs to the packet that an ICMP error quotes. */
  readonly quoted: boolean;
}

/** A header or an option, field by field. */
export interface HeaderPart extends InPacket, DecodedHeader {
  readonly kind: "header" | "option";
}

/** Bytes without fields. */
export interface SpanPart extends InPacket {
  /**
   * `payload`: what the headers carry. `padding`: filler, to be ignored. `unexplained`: what no header accounts for,
   * because it is broken, cut off, or longer than it says.
   */
  readonly kind: "payload" | "padding" | "unexplained";
  readonly at: number;
  /** Bytes. */
  readonly length: number;
  /** What these bytes are, in words. */
  readonly what: string;
}

export type Part = HeaderPart | SpanPart;

/** Whether a part has fields. */
export function isHeader(part: Part): part is HeaderPart {
  return part.kind === "header" || part.kind === "option";
}

/** Something that is wrong with the packet. */
export interface Note {
  readonly kind: "truncated" | "malformed";
  /** The byte where it shows. */
  readonly at: number;
  readonly text: string;
}

export class Walk {
  readonly bytes: Uint8Array;
  readonly vxlanPorts: ReadonlySet<number>;
  readonly parts: Part[] = [];
  readonly notes: Note[] = [];
  level = 0;
  quoted = false;
  /** Whether more of this packet lies elsewhere (fragments, quotes), so that missing bytes are no mistake. */
  partial = false;
  readonly #trailers: SpanPart[] = [];

  constructor(bytes: Uint8Array, vxlanPorts: ReadonlySet<number>) {
    this.bytes = bytes;
    this.vxlanPorts = vxlanPorts;
  }

  /** Explains a header. @returns null when it does not fit: then all bytes up to `end` are dealt with. */
  header(table: HeaderTable, at: number, end: number): DecodedHeader | null {
    const header = decode(table, this.bytes, at, end);
    if (header.length > 0) {
      this.parts.push({ kind: table.kind, level: this.level, quoted: this.quoted, ...header });
    }
    if (!header.truncated) return header;
    this.span("unexplained", at + header.length, end, `cut off in the middle of ${table.title}`);
    const there = end - at;
    this.truncated(
      end,
      `${table.title} needs ${table.length} bytes, ${there} ${there === 1 ? "is" : "are"} here`,
    );
    return null;
  }

  /** Explains bytes that have no fields. */
  span(kind: SpanPart["kind"], at: number, end: number, what: string): void {
    const { level, quoted } = this;
    if (end > at) this.parts.push({ kind, at, length: end - at, level, quoted, what });
  }

  /**
   * A layer that says where it ends.
   * @param says the end by its own words
   * @param end the end of what there is
   * @param kind what the bytes between are, where it says less
   * @returns the end of the layers inside
   */
  bound(says: number, end: number, who: string, kind: "padding" | "unexplained"): number {
    if (says > end) {
      this.truncated(end, `${who} goes on for ${says - end} bytes more than are here`);
      return end;
    }
    const { level, quoted } = this;
    const what = `after the end of ${who}`;
    if (says < end) this.#trailers.push({ kind, at: says, length: end - says, level, quoted, what });
    return says;
  }

  truncated(at: number, text: string): void {
    if (!this.partial) this.notes.push({ kind: "truncated", at, text });
  }

  malformed(at: number, text: string): void {
    this.notes.push({ kind: "malformed", at, text });
  }

  /** Adds what the layers left over at their ends. */
  finish(): void {
    this.parts.push(...this.#trailers.reverse());
    this.#trailers.length = 0;
  }
}

/** A value that the table says is a number. */
export function number(header: DecodedHeader, name: string): number {
  return header.values[name] as number;
}
