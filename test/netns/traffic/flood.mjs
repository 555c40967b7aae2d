// Floods a VTEP with datagrams, as fast as the kernel takes them (`flood.ts`). Runs dist/'s `batch` underlay, since
// node:dgram would send a fifth as many.
//
//   argument: JSON { seconds, seed, from, to, port, kind: "garbage" | "mutants" | "macs", samples: [base64, …], most, rate, tos }
//   output:   JSON { sent, bytes, seconds }
//
// garbage: random bytes, half the time up to 64, else up to 1472, one in 1000 up to 65,507. mutants: good packets with
// some bytes changed, cut off or appended, so that they get past the first checks. macs: the first sample, each from
// another MAC. It ends after `seconds`, or when `most` datagrams are sent, and sends `rate` a second, as fast as it can
// where none is given. tos: of the outer header.
import { Arena, VXLAN_AT } from "../../../dist/dataplane/arena.js";
import { OUTER, PEER, Ring } from "../../../dist/dataplane/ring.js";
import { VtepTable } from "../../../dist/fdb/vteps.js";
import { BatchUnderlay } from "../../../dist/io/linux/batch.js";
import { openUdp } from "../../../dist/io/linux/udp.js";

const {
  seconds,
  seed,
  from,
  to,
  port,
  kind,
  samples,
  most = Number.POSITIVE_INFINITY,
  rate = most,
  tos = 0,
} = JSON.parse(process.argv[2]);
const TINY = 64;
const SMALL = 1472;
const LARGE = 65_507;
const BATCH = 32;

/** xorshift32: the same datagrams for the same seed. */
let state = seed | 1;
function random(below) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

const noise = new Uint8Array(LARGE * 2);
for (let i = 0; i < noise.length; i++) noise[i] = random(256);
const good = samples.map((sample) => Buffer.from(sample, "base64"));

const arena = new Arena(BATCH * (LARGE + 128) + 64);
const pool = arena.carvePool(VXLAN_AT + LARGE + 1, BATCH);
const ring = new Ring(pool, BATCH);
const vteps = new VtepTable();
const target = vteps.acquire(Uint8Array.from(to.split(".").map(Number)), port);
const socket = openUdp({
  ...{ family: 4, address: from, port: 0, receiveBuffer: 65_536, sendBuffer: 4 << 20, gro: false },
  ...{ reusePort: false, noCheck: false, dontFragment: false, ttl: 0 },
});
const underlay = new BatchUnderlay(socket, { family: 4, checksum: "computed" });

/** Writes a datagram at `at`. @returns its length */
function garbage(at) {
  const most = random(1000) === 0 ? LARGE : random(2) === 0 ? SMALL : TINY;
  const length = random(most + 1);
  const start = random(noise.length - length);
  arena.bytes.set(noise.subarray(start, start + length), at);
  return length;
}

function mutant(at) {
  const sample = good[random(good.length)];
  arena.bytes.set(sample, at);
  let { length } = sample;
  switch (random(4)) {
    case 0:
      length = random(length + 1);
      break;
    case 1: {
      const more = random(random(50) === 0 ? LARGE - length : Math.max(SMALL - length, 1));
      arena.bytes.set(noise.subarray(0, more), at + length);
      length += more;
      break;
    }
  }
  // Most changes hit the headers, VXLAN to TCP; the first eight bytes are left alone, or little gets any further.
  for (let n = random(4); n > 0; n--)
    arena.bytes[at + 8 + random(random(4) === 0 ? length + 1 : 70)] = random(256);
  return length;
}

/** Each with the next source MAC, 02:aa:00:00:00:00 and up. */
let next = 0;
function mac(at) {
  arena.bytes.set(good[0], at);
  const source = at + 8 + 6;
  arena.bytes.set([0x02, 0xaa, next >>> 24, next >>> 16, next >>> 8, next], source);
  next++;
  return good[0].length;
}

const make = { garbage, mutants: mutant, macs: mac }[kind];
const started = performance.now();
let [sent, bytes] = [0, 0];
while (performance.now() - started < seconds * 1000 && sent < most) {
  if (sent > ((performance.now() - started) / 1000) * rate) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    continue;
  }
  while (ring.room > 0 && pool.free > 0) {
    const slot = pool.take();
    const length = make(slot + VXLAN_AT);
    const row = ring.push(slot, slot + VXLAN_AT, length);
    ring.words[row + PEER] = target;
    ring.words[row + OUTER] = tos;
    bytes += length;
  }
  const n = underlay.sendBatch(ring, vteps.slab);
  if (n > 0) sent += n;
  // Refused (EMSGSIZE and the like concern one datagram), or no room: go on with the next.
  else ring.complete(1);
}
process.stdout.write(`${JSON.stringify({ sent, bytes, seconds: (performance.now() - started) / 1000 })}\n`);
process.exit(0);
