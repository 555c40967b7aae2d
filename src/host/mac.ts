/** A MAC for a VTEP that nobody gave one. */
import { randomBytes } from "node:crypto";

/** @returns a random MAC, locally administered and unicast (IEEE 802: second lowest bit 1, lowest 0). */
export function randomMac(): string {
  const bytes = randomBytes(6);
  bytes[0] = (bytes[0]! & 0xfc) | 0x02;
  return bytes.toString("hex").replace(/..(?!$)/g, "$&:");
}
