/** The Internet checksum over inner packets: an ACK, a full frame, a super-frame. */
import { checksum } from "../../dist/wire/index.js";

export const cases = [
  { name: "64 bytes", prepare: () => sums(64) },
  { name: "1450 bytes", prepare: () => sums(1450) },
  { name: "64 KB", prepare: () => sums(65_535) },
];

const SLOTS = 16;

function sums(length) {
  const stride = Math.ceil((length + 16) / 64) * 64;
  const bytes = new Uint8Array(SLOTS * stride).map((_, i) => i * 131);
  return (n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum = (sum + checksum(bytes, (i & (SLOTS - 1)) * stride + 2, length)) | 0;
    return sum;
  };
}
