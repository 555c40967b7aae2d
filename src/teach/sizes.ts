/**
 * Where a packet's sizes come from, each header on top of the one before: the three lengths that people mean when they
 * speak of "the packet" are of the inner frame, of the UDP payload, and of what is on the wire.
 */
import { type Explanation, extended } from "./explanation.ts";

export interface SizeStep {
  /** What is put around what was there before: "ICMP echo 8 + IPv4 20". */
  readonly adds: string;
  /** Bytes, all in all. */
  readonly bytes: number;
  /** What that is called. */
  readonly name: string;
}

/** A place at which something that has a name begins. */
interface Border {
  readonly at: number;
  readonly name: string;
}

/** From the innermost outwards; empty where there is no tunnel. */
export function sizeSteps(explanation: Explanation): SizeStep[] {
  const { parts, bytes } = explanation;
  if (!parts.some(({ tone }) => tone === "tunnel")) return [];
  // Padding behind the outer packet belongs to none of them.
  const end = parts.reduce(
    (most, part) => (part.kind === "padding" && part.level === 0 ? Math.min(most, part.at) : most),
    bytes.length,
  );
  const borders = bordersOf(explanation);
  const steps: SizeStep[] = [];
  for (const [i, { at, name }] of borders.entries()) {
    const upTo = borders[i - 1]?.at ?? end;
    const added = parts.filter((part) => part.at >= at && part.at < upTo && part.kind !== "option");
    const adds = added.toReversed().map((part) => `${part.header} ${extended(explanation, part)}`);
    steps.push({ adds: adds.join(" + "), bytes: end - at, name });
  }
  return steps;
}

/** Innermost first. */
function bordersOf({ parts }: Explanation): Border[] {
  const borders: Border[] = [];
  for (const { header, kind, level, tone, at } of parts) {
    if (kind === "option") continue;
    const side = level > 0 ? "inner" : "outer";
    if (tone === "tunnel") borders.push({ at, name: "UDP payload" });
    else if (header === "Ethernet") borders.push({ at, name: level > 0 ? "inner frame" : "on the wire" });
    else if (/^(IPv[46]|ARP)$/.test(header)) borders.push({ at, name: `${side} ${header} packet` });
    else if (kind === "payload" && level > 0) borders.push({ at, name: "data" });
  }
  return borders.toReversed();
}
