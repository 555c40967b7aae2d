/**
 * Captures for Wireshark: a pcapng writer (IETF draft-ietf-opsawg-pcapng). `capture-reader.ts` reads them back.
 *
 * A file is a list of blocks, each a type, a length, a body padded to 32 bits, and the length again:
 *
 *   Section Header · Interface Description (one per interface) · Enhanced Packet (one per packet) …
 *
 * Blocks are in little-endian order, which the section header's magic number says. Each block goes to the sink as
 * one chunk as soon as it is complete, so a capture that is cut short is readable up to its last whole packet.
 * Time is in nanoseconds (if_tsresol 9).
 */
export const SECTION_HEADER = 0x0a0d0d0a;
export const INTERFACE_DESCRIPTION = 1;
export const SIMPLE_PACKET = 3;
export const ENHANCED_PACKET = 6;
/** What a section header says of its byte order: this number, in that order. */
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;

/** Option codes: 0 and 1 mean the same in every block. */
export const OPT_END = 0;
export const OPT_COMMENT = 1;
export const SHB_USERAPPL = 4;
export const IF_NAME = 2;
export const IF_DESCRIPTION = 3;
export const IF_TSRESOL = 9;
export const IF_TSOFFSET = 14;
export const EPB_FLAGS = 2;

/** An Ethernet frame. https://www.tcpdump.org/linktypes.html */
export const LINKTYPE_ETHERNET = 1;
/** An IPv4 or IPv6 packet; its first four bits say which. */
export const LINKTYPE_RAW = 101;

/** Largest packet we announce: that of Wireshark and tcpdump. */
const SNAP_LENGTH = 262_144;
const NANOSECONDS = 9;

/** What an interface of a capture is called, and what its packets start with. */
export interface CaptureInterface {
  readonly name: string;
  /** A LINKTYPE_ number. */
  readonly linkType: number;
  readonly description?: string;
}

/** What can be said of a packet beside its bytes. */
export interface PacketNotes {
  readonly comment?: string;
  readonly direction?: "in" | "out";
  /** Bytes it had on the wire, when fewer were captured. */
  readonly originalLength?: number;
}

/** An option's code and its value. */
type Option = readonly [code: number, value: Uint8Array];

export class PcapngWriter {
  readonly #sink: (chunk: Uint8Array) => void;
  #interfaces = 0;

  /**
   * Writes the section header at once.
   * @param sink takes each block; the bytes are its own
   */
  constructor(sink: (chunk: Uint8Array) => void, application = "poplin") {
    this.#sink = sink;
    const body = new Uint8Array(16);
    const view = new DataView(body.buffer);
    view.setUint32(0, BYTE_ORDER_MAGIC, true);
    view.setUint16(4, 1, true); // version 1.0
    view.setBigInt64(8, -1n, true); // section length: not known
    sink(block(SECTION_HEADER, body, [[SHB_USERAPPL, utf8(application)]]));
  }

  /** Describes one more interface. @returns its number, for `packet` */
  addInterface({ name, linkType, description }: CaptureInterface): number {
    const body = new Uint8Array(8);
    const view = new DataView(body.buffer);
    view.setUint16(0, linkType, true);
    view.setUint32(4, SNAP_LENGTH, true);
    const options: Option[] = [[IF_NAME, utf8(name)]];
    if (description !== undefined) options.push([IF_DESCRIPTION, utf8(description)]);
    options.push([IF_TSRESOL, Uint8Array.of(NANOSECONDS)]);
    this.#sink(block(INTERFACE_DESCRIPTION, body, options));
    return this.#interfaces++;
  }

  /**
   * Writes one packet. `bytes` are copied.
   * @param time nanoseconds since 1970, UTC
   * @throws RangeError for an interface that has not been added
   */
  packet(interfaceId: number, time: bigint, bytes: Uint8Array, notes: PacketNotes = {}): void {
    if (!(interfaceId >= 0 && interfaceId < this.#interfaces)) {
      throw new RangeError(`interface ${interfaceId} is not in this capture: add it with addInterface`);
    }
    const body = new Uint8Array(20 + bytes.length);
    const view = new DataView(body.buffer);
    view.setUint32(0, interfaceId, true);
    view.setUint32(4, Number((time >> 32n) & 0xffffffffn), true);
    view.setUint32(8, Number(time & 0xffffffffn), true);
    view.setUint32(12, bytes.length, true);
    view.setUint32(16, notes.originalLength ?? bytes.length, true);
    body.set(bytes, 20);
    const options: Option[] = [];
    if (notes.comment !== undefined) options.push([OPT_COMMENT, utf8(notes.comment)]);
    if (notes.direction !== undefined) {
      options.push([EPB_FLAGS, Uint8Array.of(notes.direction === "in" ? 1 : 2, 0, 0, 0)]);
    }
    this.#sink(block(ENHANCED_PACKET, body, options));
  }
}

/** The time now, as `PcapngWriter.packet` wants it. */
export function nowNanoseconds(): bigint {
  // In parts: a double holds microseconds since 1970, but not nanoseconds.
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

function block(type: number, body: Uint8Array, options: readonly Option[]): Uint8Array {
  const bodyEnd = 8 + pad(body.length);
  const optionsLength = options.reduce((sum, [, value]) => sum + 4 + pad(value.length), 0);
  const length = bodyEnd + (options.length > 0 ? optionsLength + 4 : 0) + 4;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, length, true);
  bytes.set(body, 8);
  let at = bodyEnd;
  for (const [code, value] of options) {
    view.setUint16(at, code, true);
    view.setUint16(at + 2, value.length, true);
    bytes.set(value, at + 4);
    at += 4 + pad(value.length);
  }
  view.setUint32(length - 4, length, true); // the end-of-options entry before it is all zero
  return bytes;
}

/** `length` rounded up to 32 bits. */
function pad(length: number): number {
  return (length + 3) & ~3;
}

/** An option holds at most 65,535 bytes; a longer text loses its end. */
function utf8(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  return bytes.length <= 0xffff ? bytes : bytes.subarray(0, 0xffff);
}
