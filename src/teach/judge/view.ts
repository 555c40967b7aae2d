/** A packet as a receiver takes it apart: its headers by what they are, each of which may be missing. */
import type { ExplainedField, ExplainedPart, Explanation } from "../explanation.ts";
import type { Receiver } from "./judgement.ts";

export interface View {
  readonly explanation: Explanation;
  readonly receiver: Receiver;
  /** Null where the packet starts further inside. */
  readonly ethernet: ExplainedPart | null;
  readonly ip: ExplainedPart | null;
  readonly udp: ExplainedPart | null;
  readonly vxlan: ExplainedPart | null;
  readonly innerEthernet: ExplainedPart | null;
  readonly innerIp: ExplainedPart | null;
}

export function viewOf(explanation: Explanation, receiver: Receiver): View {
  const { parts } = explanation;
  const header = (names: RegExp, level: number): ExplainedPart | null =>
    parts.find((part) => part.kind === "header" && part.level === level && names.test(part.name)) ?? null;
  return {
    ...{ explanation, receiver },
    ...{ ethernet: header(/^ethernet$/, 0), ip: header(/^ipv[46]$/, 0), udp: header(/^udp$/, 0) },
    ...{
      vxlan: header(/^vxlan/, 0),
      innerEthernet: header(/^ethernet$/, 1),
      innerIp: header(/^ipv[46]$/, 1),
    },
  };
}

/** @returns undefined where the field, or the whole header, is not there */
export function fieldOf(part: ExplainedPart | null, name: string): ExplainedField | undefined {
  return part?.fields.find((field) => field.name === name);
}

/** @returns its number; −1 where it is not there */
export function numberOf(part: ExplainedPart | null, name: string): number {
  const value = fieldOf(part, name)?.value;
  return typeof value === "number" ? value : -1;
}

/** @returns its value as people write it; "" where it is not there */
export function textOf(part: ExplainedPart | null, name: string): string {
  return fieldOf(part, name)?.text ?? "";
}

/** The id of a field; that of the header where it is cut off before it. */
export function idOf(part: ExplainedPart, name: string): string {
  return fieldOf(part, name)?.id ?? part.id;
}

/** Bytes from where a part begins to the end of the packet. */
export function bytesFrom({ explanation }: View, part: ExplainedPart): number {
  return explanation.bytes.length - part.at;
}
