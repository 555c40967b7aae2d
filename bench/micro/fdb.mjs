/**
 * (VNI, MAC) → VTEP, asked in random order: at a million rows each lookup misses the cache. `prefetch` is how encap asks:
 * for a batch of frames together.
 */
import { Fdb } from "../../dist/fdb/index.js";
import { shuffle } from "../measure/shuffle.mjs";

const VNI = 1;
const HI = 0x0242;

export const cases = [
  { name: "lookup, 10 rows", prepare: () => lookups(10, 0) },
  { name: "lookup, 10,000 rows", aim: 20, prepare: () => lookups(10_000, 0) },
  { name: "lookup, 1,000,000 rows", aim: 60, prepare: () => prefetched(1_000_000) },
  { name: "the same, one at a time", prepare: () => lookups(1_000_000, 0) },
  { name: "miss, 10,000 rows", prepare: () => lookups(10_000, 1 << 30) },
];

/** Keys of one batch: as many as a read of a busy TAP brings frames. */
const BATCH = 64;

function table(rows, apart) {
  const fdb = new Fdb();
  for (let i = 0; i < rows; i++) fdb.add(VNI, HI, i, i & 1023);
  // A power of two of keys, so that stepping through them costs a mask.
  const keys = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(rows, 1024))));
  for (let i = 0; i < keys.length; i++) keys[i] = (i % rows) + apart;
  shuffle(keys);
  return { fdb, keys, mask: keys.length - 1 };
}

function lookups(rows, apart) {
  const { fdb, keys, mask } = table(rows, apart);
  return (n) => {
    // V8 looks up at each use whether a constant of a module is there yet; in the dataplane these are read from a frame.
    const [vni, hi] = [VNI, HI];
    let sum = 0;
    for (let i = 0; i < n; i++) sum = (sum + fdb.lookup(vni, hi, keys[i & mask])) | 0;
    return sum;
  };
}

function prefetched(rows) {
  const { fdb, keys, mask } = table(rows, 0);
  return (n) => {
    const [vni, hi] = [VNI, HI];
    let sum = 0;
    for (let i = 0; i < n; i += BATCH) {
      for (let j = i; j < i + BATCH; j++) fdb.expect(vni, hi, keys[j & mask]);
      fdb.prefetch();
      for (let j = i; j < i + BATCH; j++) sum = (sum + fdb.lookup(vni, hi, keys[j & mask])) | 0;
    }
    return sum;
  };
}
