/**
 * Reads captures: pcapng in either byte order, any number of sections and any time resolution, and the older pcap
 * (microseconds or nanoseconds, either byte order). Unknown blocks and options are passed over. A capture that ends
 * in the middle, or has a block that makes no sense, gives the packets up to there and says so in `problem`.
 *
 * The whole file is in memory, and packets are views into it.
 */
import {
  BYTE_ORDER_MAGIC,
  type CaptureInterface,
  ENHANCED_PACKET,
  EPB_FLAGS,
  IF_DESCRIPTION,
  IF_NAME,
  IF_TSOFFSET,
  IF_TSRESOL,
  INTERFACE_DESCRIPTION,
  OPT_COMMENT,
  OPT_END,
  SECTION_HEADER,
  SIMPLE_PACKET,
} from "./pcapng.ts";

export interface CapturedPacket {
  /** Index into `Capture.interfaces`. */
  readonly interfaceId: number;
  /** Nanoseconds since 1970, UTC; 0 where the block has no time. */
  readonly time: bigint;
  /** What was captured of the packet: a view into the file's bytes. */
  readonly bytes: Uint8Array;
  /** Bytes it had on the wire. */
  readonly originalLength: number;
  readonly comment?: string;
  readonly direction?: "in" | "out";
}

export interface Capture {
  readonly format: "pcapng" | "pcap";
  readonly interfaces: readonly CaptureInterface[];
  readonly packets: readonly CapturedPacket[];
  /** What kept the reader from going on, and where; undefined when it read everything. */
  readonly problem?: string;
}

/** Bytes that are no capture at all. */
export class CaptureFormatError extends Error {
  readonly code = "NOT_A_CAPTURE";

  constructor(detail: string) {
    super(`this is neither pcapng nor pcap: ${detail}`);
    this.name = "CaptureFormatError";
  }
}

/**
 * Reads a whole capture file.
 * @throws CaptureFormatError when the first bytes are those of neither format; later trouble is in `problem`
 */
export function readCapture(file: Uint8Array): Capture {
  if (file.length < 12) throw new CaptureFormatError(`it has only ${file.length} bytes`);
  const { buffer, byteOffset, length } = file;
  const bytes = new Uint8Array(buffer, byteOffset, length); // of a Buffer, subarray would make Buffers
  const view = new DataView(buffer, byteOffset, length);
  const magic = view.getUint32(0, true);
  if (magic === SECTION_HEADER) return new PcapngReader(bytes, view).read();
  const pcap = PCAP_MAGICS.get(magic);
  if (pcap === undefined)
    throw new CaptureFormatError(`it starts with ${magic.toString(16).padStart(8, "0")}`);
  return readPcap(bytes, view, pcap);
}

interface Interface extends CaptureInterface {
  /** Turns a time stamp into nanoseconds since 1970. */
  readonly toNanoseconds: (stamp: bigint) => bigint;
}

/** What keeps the reader from going on. */
class Damage extends Error {}

class PcapngReader {
  readonly #file: Uint8Array;
  readonly #view: DataView;
  readonly #interfaces: Interface[] = [];
  readonly #packets: CapturedPacket[] = [];
  #little = true;
  /** Number of the section's first interface: each section counts its own from 0. */
  #first = 0;

  constructor(file: Uint8Array, view: DataView) {
    this.#file = file;
    this.#view = view;
  }

  read(): Capture {
    let problem: string | undefined;
    let at = 0;
    try {
      while (at < this.#file.length) at = this.#block(at);
    } catch (error) {
      if (!(error instanceof Damage)) throw error;
      problem = `${error.message} (in the block at byte ${at})`;
    }
    const interfaces = this.#interfaces.map(({ toNanoseconds: _, ...rest }) => rest);
    const capture = { format: "pcapng", interfaces, packets: this.#packets } as const;
    return problem === undefined ? capture : { ...capture, problem };
  }

  /** Reads the block at `at`. @returns where the next one starts */
  #block(at: number): number {
    if (at + 12 > this.#file.length) throw new Damage("the file ends in the middle of a block");
    const type = this.#u32(at);
    if (type === SECTION_HEADER) this.#section(at);
    const length = this.#u32(at + 4);
    if (length < 12 || length % 4 !== 0) throw new Damage(`a block cannot be ${length} bytes long`);
    if (at + length > this.#file.length) throw new Damage("the file ends in the middle of a block");
    const end = at + length - 4;
    if (type === INTERFACE_DESCRIPTION) this.#interface(at + 8, end);
    else if (type === ENHANCED_PACKET) this.#packet(at + 8, end);
    else if (type === SIMPLE_PACKET) this.#simplePacket(at + 8, end);
    return at + length;
  }

  /** The type of a section header reads the same both ways; the magic number after its length says which it is. */
  #section(at: number): void {
    const magic = this.#view.getUint32(at + 8, true);
    this.#little = magic === BYTE_ORDER_MAGIC;
    if (this.#u32(at + 8) !== BYTE_ORDER_MAGIC) throw new Damage("a section header without byte order");
    this.#first = this.#interfaces.length;
  }

  #interface(at: number, end: number): void {
    this.#need(at + 8, end);
    const linkType = this.#u16(at);
    let name = "";
    let description: string | undefined;
    let resolution = 6; // the default: microseconds
    let offset = 0n;
    this.#options(at + 8, end, (code, value, length) => {
      if (code === IF_NAME) name = this.#text(value, length);
      else if (code === IF_DESCRIPTION) description = this.#text(value, length);
      else if (code === IF_TSRESOL && length >= 1) resolution = this.#file[value]!;
      else if (code === IF_TSOFFSET && length >= 8) offset = this.#view.getBigInt64(value, this.#little);
    });
    const units = resolution & 0x80 ? 1n << BigInt(resolution & 0x7f) : 10n ** BigInt(resolution);
    const toNanoseconds = (stamp: bigint) => (stamp * 1_000_000_000n) / units + offset * 1_000_000_000n;
    this.#interfaces.push({
      name,
      linkType,
      toNanoseconds,
      ...(description === undefined ? {} : { description }),
    });
  }

  #packet(at: number, end: number): void {
    this.#need(at + 20, end);
    const interfaceId = this.#first + this.#u32(at);
    const from = this.#interfaces[interfaceId];
    if (from === undefined)
      throw new Damage(`a packet of interface ${this.#u32(at)}, which is not described`);
    const captured = this.#u32(at + 12);
    const start = at + 20;
    this.#need(start + captured, end);
    let comment: string | undefined;
    let direction: "in" | "out" | undefined;
    this.#options(start + ((captured + 3) & ~3), end, (code, value, length) => {
      if (code === OPT_COMMENT) comment = this.#text(value, length);
      else if (code === EPB_FLAGS && length >= 4) direction = DIRECTIONS[this.#u32(value) & 3];
    });
    this.#packets.push({
      interfaceId,
      time: from.toNanoseconds((BigInt(this.#u32(at + 4)) << 32n) | BigInt(this.#u32(at + 8))),
      bytes: this.#file.subarray(start, start + captured),
      originalLength: this.#u32(at + 16),
      ...(comment === undefined ? {} : { comment }),
      ...(direction === undefined ? {} : { direction }),
    });
  }

  /** A packet without time, of the section's first interface. */
  #simplePacket(at: number, end: number): void {
    this.#need(at + 4, end);
    if (this.#interfaces[this.#first] === undefined) throw new Damage("a packet before its interface");
    const originalLength = this.#u32(at);
    const captured = Math.min(originalLength, end - at - 4);
    const bytes = this.#file.subarray(at + 4, at + 4 + captured);
    this.#packets.push({ interfaceId: this.#first, time: 0n, bytes, originalLength });
  }

  #options(at: number, end: number, take: (code: number, value: number, length: number) => void): void {
    while (at + 4 <= end) {
      const code = this.#u16(at);
      const length = this.#u16(at + 2);
      if (code === OPT_END) return;
      this.#need(at + 4 + length, end);
      take(code, at + 4, length);
      at += 4 + ((length + 3) & ~3);
    }
  }

  #need(upTo: number, end: number): void {
    if (upTo > end) throw new Damage("a length points out of its block");
  }

  #u16(at: number): number {
    return this.#view.getUint16(at, this.#little);
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, this.#little);
  }

  #text(at: number, length: number): string {
    return new TextDecoder().decode(this.#file.subarray(at, at + length));
  }
}

/** The low two bits of a packet's flags. */
const DIRECTIONS: Readonly<Record<number, "in" | "out">> = { 1: "in", 2: "out" };

interface PcapKind {
  readonly little: boolean;
  /** Nanoseconds in one unit of a time stamp's fraction. */
  readonly unit: bigint;
}

/** The first four bytes of a pcap file, read in little-endian order. */
const PCAP_MAGICS: ReadonlyMap<number, PcapKind> = new Map([
  [0xa1b2c3d4, { little: true, unit: 1000n }],
  [0xd4c3b2a1, { little: false, unit: 1000n }],
  [0xa1b23c4d, { little: true, unit: 1n }],
  [0x4d3cb2a1, { little: false, unit: 1n }],
]);

function readPcap(file: Uint8Array, view: DataView, { little, unit }: PcapKind): Capture {
  if (file.length < 24) throw new CaptureFormatError("its header is cut short");
  const linkType = view.getUint32(20, little) & 0xffff; // the high bits tell of a frame check sequence
  const packets: CapturedPacket[] = [];
  const capture = { format: "pcap", interfaces: [{ name: "", linkType }], packets } as const;
  let at = 24;
  while (at < file.length) {
    const start = at + 16;
    const end = start <= file.length ? start + view.getUint32(at + 8, little) : Number.POSITIVE_INFINITY;
    if (end > file.length) return { ...capture, problem: `the packet at byte ${at} is cut short` };
    const seconds = BigInt(view.getUint32(at, little));
    packets.push({
      interfaceId: 0,
      time: seconds * 1_000_000_000n + BigInt(view.getUint32(at + 4, little)) * unit,
      bytes: file.subarray(start, end),
      originalLength: view.getUint32(at + 12, little),
    });
    at = end;
  }
  return capture;
}
