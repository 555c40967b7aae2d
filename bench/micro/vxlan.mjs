/** The VXLAN header, in slots as a dataplane has them. */
import { hasReservedBits, hasVni, readVni, writeVxlanHeader } from "../../dist/wire/index.js";

const SLOTS = 256;
const SLOT_BYTES = 1536;

export const cases = [
  { name: "write a header", prepare: write },
  { name: "read and check a header", prepare: read },
];

function write() {
  const bytes = new Uint8Array(SLOTS * SLOT_BYTES);
  return (n) => {
    for (let i = 0; i < n; i++) writeVxlanHeader(bytes, (i & (SLOTS - 1)) * SLOT_BYTES + 8, i & 0xffffff);
    return bytes[15];
  };
}

function read() {
  const bytes = new Uint8Array(SLOTS * SLOT_BYTES);
  for (let i = 0; i < SLOTS; i++) writeVxlanHeader(bytes, i * SLOT_BYTES + 8, i);
  return (n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      const at = (i & (SLOTS - 1)) * SLOT_BYTES + 8;
      if (hasVni(bytes, at) && !hasReservedBits(bytes, at)) sum = (sum + readVni(bytes, at)) | 0;
    }
    return sum;
  };
}
