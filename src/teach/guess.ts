/**
 * What the first byte of some bytes belongs to, where nobody has said. Each layer that they could start with is tried, and
 * the one that explains most wins: checksums that are right speak for it, what is malformed or unexplained against it.
 */
import { decodePacket, isHeader, type LayerName, type Packet, type PacketOptions } from "../wire/index.ts";
import { verdicts } from "./verdict.ts";

/** Layers that captures and hex dumps start with, the likelier first. */
const CANDIDATES = ["ethernet", "udp-payload", "ip"] as const satisfies readonly LayerName[];
/** What a guess can end with; an inner frame is Ethernet like an outer one. */
export type GuessedLayer = (typeof CANDIDATES)[number];

export const LAYER_WORDS: Readonly<Record<GuessedLayer, string>> = {
  ethernet: "an Ethernet frame",
  "udp-payload": "what a UDP datagram carries: a VXLAN header and a frame",
  ip: "an IP packet",
};

export interface Guess {
  readonly layer: GuessedLayer;
  /** "an Ethernet frame". */
  readonly words: string;
  /** Why it was taken for that, in words. */
  readonly why: string;
  /** Whether another reading explains about as much. */
  readonly sure: boolean;
}

interface Reading {
  readonly layer: GuessedLayer;
  readonly score: number;
  readonly why: string;
}

/** Points for and against a reading. A checksum is right by chance once in 65,536 times. */
const RIGHT = 12;
const WRONG = -3;
const MALFORMED = -8;
const CUT = -2;
const HEADER = 2;
const STRANGE = -6;
/** Points by which a reading must be ahead to be sure of it. */
const AHEAD = 4;

/** Never throws, whatever the bytes are. */
export function guessLayer(bytes: Uint8Array, options: Omit<PacketOptions, "layer"> = {}): Guess {
  const readings = CANDIDATES.map((layer) => read(bytes, layer, options));
  const [best, next] = readings.toSorted((a, b) => b.score - a.score);
  const { layer, why, score } = best!;
  return { layer, words: LAYER_WORDS[layer], why, sure: score - next!.score >= AHEAD };
}

function read(bytes: Uint8Array, layer: GuessedLayer, options: PacketOptions): Reading {
  const packet = decodePacket(bytes, { ...options, layer });
  const states = [...verdicts(bytes, packet).values()].map(({ state }) => state);
  const right = states.filter((state) => state === "right").length;
  const wrong = states.filter((state) => state === "wrong").length;
  const malformed = packet.notes.filter(({ kind }) => kind === "malformed").length;
  const cut = packet.notes.length - malformed;
  const headers = packet.parts.filter((part) => part.kind === "header");
  const strange = strangeness(packet);
  const score =
    right * RIGHT +
    wrong * WRONG +
    malformed * MALFORMED +
    cut * CUT +
    headers.length * HEADER +
    strange * STRANGE;
  const names = headers.filter(isHeader).map(({ table }) => table.title);
  const found = names.length > 0 ? `read so it is ${names.join(", ")}` : "nothing else fits better";
  const sums = right > 0 ? `, and ${right === 1 ? "a checksum is" : `${right} checksums are`} right` : "";
  return { layer, score, why: found + sums };
}

/** Things that a sound packet does not have: EtherTypes that nobody knows, group addresses as a source, reserved bits. */
function strangeness({ parts }: Packet): number {
  let count = 0;
  for (const part of parts) {
    if (!isHeader(part)) {
      if (part.kind === "unexplained") count++;
      if (part.kind === "payload" && /^(EtherType|protocol|IEEE)/.test(part.what)) count++;
      continue;
    }
    const { values, table } = part;
    if (table.name === "ethernet" && (Number(values.source ?? 0) / 2 ** 40) % 2 >= 1) count++;
    if (table.name.startsWith("vxlan")) {
      count += Object.entries(values).filter(
        ([name, value]) => name.startsWith("reserved") && value !== 0,
      ).length;
    }
  }
  return count;
}
