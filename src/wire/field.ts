/**
 * What a header is, as data. One table per header gives the decoder, the encoder, the explanation and the tests;
 * the fast functions of the hot path are held against it.
 */

/** How a value is shown to people. */
export type Format =
  | "decimal"
  | "hex"
  /** One bit. */
  | "flag"
  | "mac"
  | "ipv4"
  | "ipv6"
  | "etherType"
  | "protocol"
  | "port"
  /** A checksum: hexadecimal, and whoever knows the rest of the packet can say whether it is right. */
  | "checksum"
  /** Bytes without a meaning of their own. */
  | "bytes";

/** Fields of up to 48 bits are numbers, longer ones and those of variable length hexadecimal digits, two a byte. */
export type FieldValue = number | string;

/** One field of a header, with what a student wants to know about it. */
export interface Field {
  /** Key in decoded values; the word of the field's standard, in camel case. */
  readonly name: string;
  /** What people call it; at most 16 characters. */
  readonly title: string;
  /** Bits from the start of the header; bit 0 is the first on the wire, the most significant of its byte. */
  readonly at: number;
  /** Bits. `rest`: all bytes up to where the header's own length says that it ends; the last field only. */
  readonly width: number | "rest";
  readonly format: Format;
  /** Its meaning in at most 23 characters, for a column. */
  readonly short: string;
  readonly meaning: string;
  readonly why: string;
  /** Where it is defined: the document and its section. */
  readonly source: string;
  readonly ifWrong: string;
  /** What `encode` writes when no value is given; 0 otherwise. */
  readonly usual?: number;
  /** What single values stand for. */
  readonly names?: Readonly<Record<number, string>>;
  /** What one unit of the value counts: 4 for an IPv4 header length, in `unit`. */
  readonly scale?: number;
  /** "bytes", "seconds", … */
  readonly unit?: string;
}

/** One header, or one option inside a header. */
export interface HeaderTable {
  /** "ipv4", "tcp-mss": unique among all tables. */
  readonly name: string;
  /** "IPv4", "maximum segment size". */
  readonly title: string;
  readonly kind: "header" | "option";
  /** Bytes of all fields but a `rest`. */
  readonly length: number;
  readonly fields: readonly Field[];
}
