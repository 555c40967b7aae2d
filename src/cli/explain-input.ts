/** The packets that `poplin explain` is given: an example, a capture, a text with hexadecimal bytes, or standard input. */
import { existsSync, readFileSync } from "node:fs";
import { readCapture } from "../io/capture-reader.ts";
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from "../io/pcapng.ts";
import { EXAMPLES, type ExampleName } from "../teach/examples.ts";
import type { GuessedLayer } from "../teach/guess.ts";
import { readHexText } from "../teach/hex-text.ts";
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, u16 } from "../wire/index.ts";
import { CliError, EXIT } from "./errors.ts";

/** Bytes to explain, and what is known of them. */
export interface Input {
  /** In a few words: "the example ping", "packet 3 of underlay.pcapng". */
  readonly title: string;
  readonly bytes: Uint8Array;
  /** What the first byte belongs to, where whoever captured it says so. */
  readonly layer: GuessedLayer | null;
  /** What somebody has written beside it. */
  readonly comment: string | null;
}

/** libpcap's pseudo-headers of `-i any`, whose protocol is an EtherType: where that is, and where the packet begins. */
const COOKED: Readonly<Record<number, { readonly protocolAt: number; readonly length: number }>> = {
  113: { protocolAt: 14, length: 16 },
  276: { protocolAt: 0, length: 20 },
};
const HINT = "such as: poplin explain --example ping";

/**
 * @param words the command's arguments: a file, `-`, or hexadecimal digits
 * @throws CliError (usage) where there is nothing to explain
 */
export function readInput(words: readonly string[], example: ExampleName | undefined): Input[] {
  if (example !== undefined) {
    if (words.length > 0) throw new CliError(EXIT.usage, "an example and a packet are two", HINT);
    return [
      { title: `the example ${example}`, bytes: EXAMPLES[example].bytes, layer: "ethernet", comment: null },
    ];
  }
  const [first] = words;
  if (first === undefined)
    throw new CliError(EXIT.usage, "there is nothing to explain: name a file, or give bytes", HINT);
  if (words.length === 1 && first === "-") return fromBytes(readFileSync(0), "standard input");
  if (words.length === 1 && existsSync(first)) return fromBytes(read(first), first);
  return fromText(words.join(" "), "what was typed", words.length === 1 ? first : null);
}

function read(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new CliError(EXIT.failed, `${file} cannot be read: ${(error as Error).message}`);
  }
}

/** A capture, if it begins like one, else text. */
function fromBytes(bytes: Uint8Array, name: string): Input[] {
  if (!isCapture(bytes)) return fromText(new TextDecoder().decode(bytes), name, null);
  const { packets, interfaces, problem } = readCapture(bytes);
  if (packets.length === 0)
    throw new CliError(EXIT.failed, `${name} has no packet${problem === undefined ? "" : `: ${problem}`}`);
  return packets.map((packet, i) => {
    const title = packets.length === 1 ? `the packet of ${name}` : `packet ${i + 1} of ${name}`;
    const { comment = null } = packet;
    return {
      title,
      comment,
      ...unwrapped(packet.bytes, interfaces[packet.interfaceId]?.linkType ?? -1, title),
    };
  });
}

const MAGICS = [0x0a0d0d0a, 0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1];

function isCapture(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && MAGICS.includes(((u16(bytes, 0) << 16) | u16(bytes, 2)) >>> 0);
}

function unwrapped(bytes: Uint8Array, linkType: number, title: string): Pick<Input, "bytes" | "layer"> {
  if (linkType === LINKTYPE_ETHERNET) return { bytes, layer: "ethernet" };
  if (linkType === LINKTYPE_RAW) return { bytes, layer: "ip" };
  const cooked = COOKED[linkType];
  if (cooked !== undefined && bytes.length >= cooked.length) {
    const type = u16(bytes, cooked.protocolAt);
    const layer = type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6 ? "ip" : null;
    return { bytes: bytes.subarray(cooked.length), layer };
  }
  throw new CliError(
    EXIT.failed,
    `${title} was captured on a kind of link that is not known here (link type ${linkType})`,
    "Ethernet, raw IP and Linux's cooked captures are; give the bytes of one packet in hexadecimal",
  );
}

/** @param file what may have been meant as one */
function fromText(text: string, title: string, file: string | null): Input[] {
  const reading = readHexText(text);
  if (reading.ok) return [{ title, bytes: reading.bytes, layer: null, comment: null }];
  const what = file === null ? title : `"${file}" is no file, and as bytes`;
  throw new CliError(EXIT.usage, `${what}: ${reading.problem}`, HINT);
}
