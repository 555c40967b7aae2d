/**
 * Which messages the kernel leaves out before it wakes us: a program of classic BPF on the netlink socket (socket(7),
 * SO_ATTACH_FILTER; Documentation/networking/filter.rst). On a busy node thousands of neighbours come and go every
 * minute on other devices, and a routing daemon changes routes that are not ours: none of that costs us a wake-up.
 *
 *   links, addresses   all: few, and links go by their name
 *   neighbours         of these devices, permanent ones or such that somebody has changed by request
 *   routes             table main: through these devices, or in the place of another; or all
 *
 * A filter only saves work: whoever is told has to look at what he is told.
 */
import {
  AF_BRIDGE,
  DELNEIGH,
  DELROUTE,
  HEADER_LENGTH,
  NEWNEIGH,
  NEWROUTE,
  NUD_PERMANENT,
  OIF,
  TABLE_MAIN,
} from "./message.ts";

/** What is wanted of the kernel's news. */
export interface Wanted {
  /** Indexes of devices whose neighbours and routes are wanted. */
  readonly devices: ReadonlySet<number>;
  /** All routes of table main, not only those through the devices. */
  readonly routes: boolean;
}

// include/uapi/linux/filter.h, bpf_common.h: loads read big-endian.
const LOAD_BYTE = 0x30;
const LOAD_HALF = 0x28;
const LOAD_WORD = 0x20;
const LOAD_WORD_AT_X = 0x40;
const LOAD_NUMBER = 0x00;
const LOAD_X = 0x01;
const A_TO_X = 0x07;
const IF_EQUAL = 0x15;
const IF_AT_LEAST = 0x35;
const IF_SET = 0x45;
const RETURN = 0x06;
/** A load from here looks for the attribute of type X from byte A on: A becomes where it is, or 0 (SKF_AD_NLATTR). */
const FIND_ATTRIBUTE = 0xfffff00c;

const ALL = 0xffffffff;
const NOTHING = 0;
/** Instructions of the longest program (BPF_MAXINSNS). */
const MOST_INSTRUCTIONS = 4096;
/** Bytes of an instruction. */
const SIZE = 8;
/** How many comparisons share one way out: a conditional jump reaches 255 instructions. */
const BLOCK = 200;

/**
 * An instruction with its number, and the labels to go on at when its condition holds and when not (forwards only; left
 * out: the next instruction); or a label.
 */
type Line =
  | string
  | readonly [code: number, k: number, then?: string | undefined, otherwise?: string | undefined];

/** @returns instructions of 8 bytes for `Shim.attachFilter` */
export function netlinkFilter({ devices, routes }: Wanted): Uint8Array {
  const at = HEADER_LENGTH;
  const program = assemble([
    [LOAD_HALF, 4],
    [IF_EQUAL, swap16(NEWNEIGH), "neighbour"],
    [IF_EQUAL, swap16(DELNEIGH), "neighbour"],
    [IF_EQUAL, swap16(NEWROUTE), "route"],
    [IF_EQUAL, swap16(DELROUTE), "route", "all"],

    "neighbour",
    [LOAD_BYTE, at],
    [IF_EQUAL, AF_BRIDGE, "nothing"],
    [LOAD_WORD, 12], // the port of whoever asked for it
    [IF_AT_LEAST, 1, "index"],
    [LOAD_BYTE, at + 8],
    [IF_SET, NUD_PERMANENT, "index", "nothing"],
    "index",
    [LOAD_WORD, at + 4],
    [IF_AT_LEAST, 0, "devices"],

    "route",
    [LOAD_BYTE, at + 4],
    [IF_EQUAL, TABLE_MAIN, routes ? "all" : undefined, "nothing"],
    [LOAD_BYTE, 7], // the upper byte of the flags: NLM_F_REPLACE
    [IF_SET, 1, "all"],
    [LOAD_NUMBER, at + 12],
    [LOAD_X, OIF],
    [LOAD_WORD, FIND_ATTRIBUTE],
    [IF_EQUAL, 0, "nothing"],
    [A_TO_X, 0],
    [LOAD_WORD_AT_X, 4],
    [IF_AT_LEAST, 0, "devices"],

    "all",
    [RETURN, ALL],
    "nothing",
    [RETURN, NOTHING],
    "devices",
    ...oneOf([...devices].map(swap32)),
  ]);
  return program.length > MOST_INSTRUCTIONS * SIZE ? assemble([[RETURN, ALL]]) : program;
}

/** All when A is one of these numbers, else nothing. */
function oneOf(numbers: readonly number[]): Line[] {
  const lines: Line[] = [];
  for (let i = 0; i < numbers.length; i += BLOCK) {
    const block = numbers.slice(i, i + BLOCK);
    const [found, none] = [`found ${i}`, `none ${i}`];
    block.forEach((k, j) => void lines.push([IF_EQUAL, k, found, j === block.length - 1 ? none : undefined]));
    lines.push(found, [RETURN, ALL], none);
  }
  return [...lines, [RETURN, NOTHING]];
}

/** struct sock_filter: code (u16), instructions to skip when the condition holds, and when not (u8 each), number (u32). */
function assemble(lines: readonly Line[]): Uint8Array {
  const places = new Map<string, number>();
  const instructions: Exclude<Line, string>[] = [];
  for (const line of lines) {
    if (typeof line === "string") places.set(line, instructions.length);
    else instructions.push(line);
  }
  const bytes = new Uint8Array(instructions.length * SIZE);
  const view = new DataView(bytes.buffer);
  instructions.forEach(([code, k, then, otherwise], i) => {
    const skip = (label: string | undefined): number =>
      label === undefined ? 0 : places.get(label)! - i - 1;
    view.setUint16(i * SIZE, code, true);
    view.setUint8(i * SIZE + 2, skip(then));
    view.setUint8(i * SIZE + 3, skip(otherwise));
    view.setUint32(i * SIZE + 4, k, true);
  });
  return bytes;
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8);
}

function swap32(value: number): number {
  return ((swap16(value & 0xffff) << 16) | swap16(value >>> 16)) >>> 0;
}
