/** Checksums put right after a change, as a sender would have written them. */
import { decodePacket, isHeader, type PacketOptions, putU16 } from "../wire/index.ts";
import { verdicts } from "./verdict.ts";

/**
 * Writes each checksum that is wrong as it should be, from the inside out: an outer one covers the inner ones. What says
 * that there is none (0 in UDP), and what cannot be calculated because bytes are missing, stays.
 * @param bytes changed in place
 * @param keep bits of the packet at which a checksum starts that stays as it is
 */
export function repairChecksums(
  bytes: Uint8Array,
  options: PacketOptions = {},
  keep: ReadonlySet<number> = new Set(),
): void {
  const packet = decodePacket(bytes, options);
  for (const part of packet.parts.filter(isHeader).toReversed()) {
    const found = part.fields.find(({ field }) => field.format === "checksum");
    if (found === undefined || keep.has(found.bit)) continue;
    const verdict = verdicts(bytes, packet).get(part);
    if (verdict?.state === "wrong") putU16(bytes, found.bit / 8, verdict.expected!);
  }
}
