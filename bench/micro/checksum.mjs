/**
 * The Internet checksum over inner packets: an ACK, a full frame, a super-frame. In TypeScript; in C, for a native call
 * with one piece in it; and in C while the bytes are copied into segments.
 */
import { native } from "../../dist/io/linux/sums.js";
import { checksum } from "../../dist/wire/index.js";

export const cases = [
  { name: "64 bytes", prepare: () => sums(64) },
  { name: "1450 bytes", prepare: () => sums(1450) },
  { name: "64 KB", prepare: () => sums(65_535) },
  { name: "1450 bytes, in C", prepare: () => nativeSums(1450) },
  { name: "64 KB, in C", prepare: () => nativeSums(65_535) },
  { name: "64 KB, in C, copied in 46 segments", prepare: copies },
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

function nativeSums(length) {
  const { sums: sumRanges } = native();
  const stride = Math.ceil((length + 16) / 64) * 64;
  const bytes = new Uint8Array(SLOTS * stride).map((_, i) => i * 131);
  const range = new Int32Array(2);
  return (n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      range[0] = (i & (SLOTS - 1)) * stride + 2;
      range[1] = length;
      sumRanges(bytes, range, 1);
      sum = (sum + range[0]) | 0;
    }
    return sum;
  };
}

function copies() {
  const { pieces } = native();
  const [header, headerLength, size, segments] = [0, 66, 1398, 46];
  const from = 128;
  const total = segments * size;
  const bytes = new Uint8Array(2 * (from + total) + segments * headerLength).map((_, i) => i * 131);
  const job = Int32Array.of(header, headerLength, from, total, size, from + total);
  const pieceSums = new Int32Array(segments);
  return (n) => {
    let sum = 0;
    for (let i = 0; i < n; i++) {
      pieces(bytes, job, pieceSums);
      sum = (sum + pieceSums[i % segments]) | 0;
    }
    return sum;
  };
}
