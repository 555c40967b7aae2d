/** What the learner's `encode` and `decode` have to do, and what is said where they do otherwise. */

import { EXAMPLES } from "../../teach/examples.ts";
import { explain, fieldsOf } from "../../teach/explanation.ts";
import { encodePacket, hex, VXLAN, VXLAN_LENGTH } from "../../wire/index.ts";

/** A learner's module, of which nothing is known. */
export interface Codec {
  readonly encode?: unknown;
  readonly decode?: unknown;
}

const PING = EXAMPLES.ping.bytes.subarray(50);
const SHORTEST = new Uint8Array(14);
/** VNIs whose three bytes are all different, and the first and the last. */
const CASES: readonly (readonly [vni: number, frame: Uint8Array])[] = [
  [1, PING],
  [0x123456, PING],
  [0, SHORTEST],
  [0xffffff, SHORTEST],
  [0x00ff00, PING],
];

/** @returns the first thing that is wrong, in words; null where nothing is */
export function firstFault({ encode, decode }: Codec): string | null {
  if (typeof encode !== "function") return 'codec.mjs has no "export function encode".';
  if (typeof decode !== "function") return 'codec.mjs has no "export function decode".';
  for (const [vni, frame] of CASES) {
    const fault = encodeFault(encode(vni, frame.slice()), vni, frame);
    if (fault !== null) return fault;
  }
  for (const [vni, frame] of CASES) {
    const fault = decodeFault(decode(datagram(vni, frame)), vni, frame);
    if (fault !== null) return fault;
  }
  return strangeFault(decode as (bytes: Uint8Array) => unknown);
}

function datagram(vni: number, frame: Uint8Array): Uint8Array {
  return Uint8Array.from([...encodePacket([[VXLAN, { vni }]]), ...frame]);
}

function encodeFault(got: unknown, vni: number, frame: Uint8Array): string | null {
  const call = `encode(0x${vni.toString(16)}, a frame of ${frame.length} bytes)`;
  if (!(got instanceof Uint8Array))
    return `${call} returns ${describe(got)}, and should return a Uint8Array.`;
  const wanted = datagram(vni, frame);
  const at = wanted.findIndex((byte, i) => got[i] !== byte);
  if (at >= 0 && at < got.length) {
    const where =
      at < VXLAN_LENGTH
        ? `in the header: ${fieldAt(wanted, at)}`
        : "in the frame, which follows the header as it is";
    return `${call}: byte ${at} is ${byteText(got[at]!)} and should be ${byteText(wanted[at]!)}, ${where}.`;
  }
  if (got.length === wanted.length) return null;
  return `${call} returns ${got.length} bytes, and should return ${wanted.length}: the header's 8 and the frame's.`;
}

function decodeFault(got: unknown, vni: number, frame: Uint8Array): string | null {
  const call = `decode(a datagram of VNI 0x${vni.toString(16)})`;
  if (typeof got !== "object" || got === null)
    return `${call} returns ${describe(got)}, and should return { vni, frame }: there is nothing wrong with it.`;
  const { vni: gotVni, frame: gotFrame } = got as { vni?: unknown; frame?: unknown };
  if (gotVni !== vni) {
    const shifted = gotVni === vni << 8 ? " The last byte of the second word is reserved." : "";
    return `${call}: vni is ${describe(gotVni)}, and should be ${vni}.${shifted}`;
  }
  if (!(gotFrame instanceof Uint8Array))
    return `${call}: frame is ${describe(gotFrame)}, and should be a Uint8Array.`;
  if (hex(gotFrame) === hex(frame)) return null;
  return `${call}: frame has ${gotFrame.length} bytes and begins with ${hex(gotFrame.subarray(0, 4), 0, undefined, " ")}; it should be the ${frame.length} bytes behind the header.`;
}

/** What has to be dropped, and what must not be. */
function strangeFault(decode: (bytes: Uint8Array) => unknown): string | null {
  const good = datagram(1, PING);
  for (const length of [0, 7]) {
    const got = decode(good.slice(0, length));
    if (got !== null)
      return `decode(${length} bytes) returns ${describe(got)}, and should return null: that is no header.`;
  }
  const withoutI = good.slice();
  withoutI[0] = 0;
  const got = decode(withoutI);
  if (got !== null)
    return `decode(a datagram without the I flag) returns ${describe(got)}, and should return null.`;
  const reserved = good.slice();
  for (const [at, byte] of [
    [0, 0x7f],
    [1, 0xff],
    [7, 0xff],
  ] as const)
    reserved[at] = byte;
  const ignored = decode(reserved) as { vni?: unknown } | null;
  if (ignored?.vni === 1) return null;
  return `decode(a datagram with reserved bits set) gives VNI ${describe(ignored?.vni)}, and should give 1: reserved bits are ignored.`;
}

function fieldAt(bytes: Uint8Array, at: number): string {
  const { title } = fieldsOf(explain(bytes, { layer: "udp-payload" })).find(
    ({ bit, width }) => at * 8 >= bit && at * 8 < bit + width,
  )!;
  return at === 0 ? "the flags, of which I is set" : title;
}

function byteText(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

function describe(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
