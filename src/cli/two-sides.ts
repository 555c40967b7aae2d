/**
 * Packets as pcapng, both sides of the encapsulation: what is on the underlay as one interface, the inner frame as it is on
 * the TAP as another, each with its layers as a comment, and what became of it.
 */
import { LINKTYPE_ETHERNET, LINKTYPE_RAW, type PacketNotes, PcapngWriter } from "../io/pcapng.ts";
import { type Explanation, extended } from "../teach/explanation.ts";
import { u16 } from "../wire/index.ts";

/** What Wireshark must be told: it knows VXLAN at 4789, and Linux and flannel use 8472. */
export function wiresharkCommand(file: string, port: number): string {
  return `wireshark -d udp.port==${port},vxlan ${file}`;
}

/** Where a packet begins: at its outer Ethernet header, or at its IP header. */
export type OuterSide = "ethernet" | "ip";

export class TwoSides {
  readonly #writer: PcapngWriter;
  readonly #numbers = new Map<string, number>();

  /** @param application who has written it */
  constructor(sink: (chunk: Uint8Array) => void, application: string) {
    this.#writer = new PcapngWriter(sink, application);
  }

  /**
   * A packet on the underlay, and the frame in it.
   * @param fate what became of it, in lines
   */
  packet(
    time: bigint,
    explanation: Explanation,
    side: OuterSide,
    fate: readonly string[],
    notes: PacketNotes = {},
  ): void {
    const { bytes, parts } = explanation;
    const inner = parts.find(({ name, level }) => name === "ethernet" && level === 1);
    const comment = [...layers(explanation, 0), ...fate].join("\n");
    const name = inner === undefined && side === "ethernet" ? "packet" : "underlay";
    this.#writer.packet(this.#underlay(name, side), time, bytes, { ...notes, comment });
    if (inner === undefined) return;
    const frame = bytes.subarray(inner.at, innerEnd(explanation));
    const inside: PacketNotes = { ...notes, comment: layers(explanation, 1).join("\n") };
    const whole =
      notes.originalLength === undefined ? {} : { originalLength: notes.originalLength - inner.at };
    this.#writer.packet(this.#overlay(), time, frame, { ...inside, ...whole });
  }

  /** The frame in a UDP payload, whose outer headers nobody knows. */
  payload(time: bigint, explanation: Explanation, fate: readonly string[]): void {
    const inner = explanation.parts.find(({ name, level }) => name === "ethernet" && level === 1);
    if (inner === undefined) return;
    const comment = [...layers(explanation, 1), ...fate].join("\n");
    this.#writer.packet(this.#overlay(), time, explanation.bytes.subarray(inner.at), { comment });
  }

  /** A frame that is on the overlay's side alone. */
  frame(time: bigint, explanation: Explanation, fate: readonly string[], notes: PacketNotes = {}): void {
    const comment = [...layers(explanation, 0), ...fate].join("\n");
    this.#writer.packet(this.#overlay(), time, explanation.bytes, { ...notes, comment });
  }

  #underlay(name: string, side: OuterSide): number {
    const linkType = side === "ethernet" ? LINKTYPE_ETHERNET : LINKTYPE_RAW;
    return this.#interface({ name, linkType, description: "outer headers and all" });
  }

  #overlay(): number {
    const description = "the inner frame, as on the TAP";
    return this.#interface({ name: "overlay", linkType: LINKTYPE_ETHERNET, description });
  }

  #interface(one: { name: string; linkType: number; description: string }): number {
    const known = this.#numbers.get(one.name);
    if (known !== undefined) return known;
    const number = this.#writer.addInterface(one);
    this.#numbers.set(one.name, number);
    return number;
  }
}

/** Where the datagram ends that carries the frame: what may lie behind it is the outer frame's. */
function innerEnd({ parts, bytes }: Explanation): number {
  const udp = parts.find(({ name, level }) => name === "udp" && level === 0);
  return udp === undefined ? bytes.length : Math.min(bytes.length, udp.at + u16(bytes, udp.at + 4));
}

/** A line for each header: "outer IPv4, 20 bytes: source 172.19.0.2, destination 172.19.0.3". */
function layers(explanation: Explanation, level: number): string[] {
  return explanation.parts
    .filter((part) => part.level >= level && part.kind !== "option")
    .map((part) => {
      const fields = part.fields
        .filter(({ name }) => TOLD.has(name))
        .map(({ title, text }) => `${title} ${text}`);
      const length = extended(explanation, part);
      return `${part.title}, ${length} bytes${fields.length === 0 ? "" : `: ${fields.join(", ")}`}`;
    });
}

/** Fields that tell packets apart. */
const TOLD: ReadonlySet<string> = new Set(
  "source destination etherType protocol nextHeader ttl hopLimit sourcePort destinationPort i vni group type code".split(
    " ",
  ),
);
