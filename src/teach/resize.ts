/** A packet with more or less data in it: what a larger or smaller MTU would let a sender send. */
import { assign } from "./assign.ts";
import type { Explanation } from "./explanation.ts";
import { ValueError } from "./value.ts";

/** Largest IPv4 packet. */
const MOST = 65_535;

/**
 * @param ipBytes of the innermost IP packet, header included
 * @returns the packet with data cut off, or repeated until there is enough, and lengths and checksums that fit
 * @throws ValueError where there is no IP packet, or no data
 */
export function resize(explanation: Explanation, ipBytes: number): Uint8Array {
  const { bytes, parts } = explanation;
  const ip = parts.findLast(({ name }) => name === "ipv4" || name === "ipv6");
  const data = parts.at(-1);
  if (ip === undefined || data === undefined || data.kind !== "payload")
    throw new ValueError("there is no data in this packet that could be more or less: take the example ping");
  const before = bytes.length - ip.at;
  const least = data.at - ip.at + 1;
  // The outer headers are there, too.
  const most = MOST - (bytes.length - before);
  if (!(ipBytes >= least && ipBytes <= most))
    throw new ValueError(`mtu: ${ipBytes} is no MTU for this packet; write one from ${least} to ${most}`);
  const length = data.length + ipBytes - before;
  const repeated = Uint8Array.from({ length }, (_, i) => bytes[data.at + (i % data.length)]!);
  const resized = Uint8Array.from([...bytes.subarray(0, data.at), ...repeated]);
  return assign(resized, lengthsOf(explanation, ipBytes - before));
}

/** Every length field, by so much more. */
function lengthsOf({ parts }: Explanation, more: number) {
  return parts.flatMap(({ fields }) =>
    fields
      .filter(({ name }) => LENGTHS.includes(name))
      .map(({ id, value }) => ({ path: id, value: String((value as number) + more) })),
  );
}

const LENGTHS = ["totalLength", "payloadLength", "length"];
