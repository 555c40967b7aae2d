/**
 * A million frames through encap, a wire in memory, and decap, in a process of its own, so that nothing else allocates
 * meanwhile: in turn a ping-sized UDP datagram, and a TCP segment whose checksum encap has to finish. Prints what was left on the heap and how often the collector ran. The new space is large enough for
 * anything that would be allocated, so growth is what was allocated.
 *
 *   node --expose-gc --max-semi-space-size=256 steady-state.mjs
 */
import { PerformanceObserver } from "node:perf_hooks";
import { Dataplane } from "../../dist/dataplane/dataplane.js";
import { MemoryNetwork, MemoryTap } from "../../dist/io/memory.js";

const FRAMES = 1_000_000;
const WARM_UP = 100_000;
const BATCH = 64;

const network = new MemoryNetwork({ whenFull: "wait" });
const a = node(1);
const b = node(2);
const frame = new Uint8Array(98);
frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00, 0x45]);
frame.set([0, 84, 0, 1, 0x40, 0, 64, 17, 0, 0, 10, 244, 1, 2, 10, 244, 2, 5, 1, 1, 2, 2, 0, 64, 0, 0], 16);
const vnet = new Uint8Array(12);
const segment = new Uint8Array(1014).map((_, i) => i);
segment.set(frame.subarray(0, 38));
segment.set([1000 >> 8, 1000 & 0xff], 16); // total length
segment[23] = 6; // TCP
segment[46] = 0x50; // a header of 20 bytes
const unfinished = Uint8Array.of(1, 0, 0, 0, 0, 0, 34, 0, 16, 0, 0, 0); // NEEDS_CSUM, from byte 34, field at 16
const scratch = new Uint8Array(70_000);

function node(n) {
  const tap = new MemoryTap({ frames: BATCH, frameBytes: 1600 });
  const underlay = network.attach({ address: Uint8Array.of(172, 19, 0, n), port: 8472, datagrams: BATCH });
  const options = { vni: 1, mac: mac(n), mtu: 1450, reservedBits: "rfc", senderCheck: "strict", tos: 0 };
  const dataplane = new Dataplane(options, tap, underlay);
  const other = 3 - n;
  dataplane.update({ op: "add", mac: mac(other), address: Uint8Array.of(172, 19, 0, other), port: 8472 });
  return { tap, underlay, dataplane };
}

function mac(n) {
  return `02:00:00:00:00:0${n}`;
}

/** Moves `count` frames from a's pod to b's. */
function move(count) {
  for (let sent = 0, taken = 0; taken < count; ) {
    for (let i = 0; i < BATCH && sent < count; i++, sent++) {
      if ((sent & 1) === 0) a.tap.inject(frame, vnet);
      else a.tap.inject(segment, unfinished);
    }
    while (a.dataplane.loop.turn() > 0);
    while (b.dataplane.loop.turn() > 0);
    while (b.tap.takeInto(scratch, 0) > 0) taken++;
  }
}

let collections = 0;
const observer = new PerformanceObserver((list) => {
  collections += list.getEntries().length;
});
observer.observe({ entryTypes: ["gc"] });

// Until everything is compiled, which takes longer where the compiler's threads have to wait for a processor: then a round
// leaves about 0.3 bytes a frame, and while the look at the clock is not compiled yet three times that.
let warm = 0;
for (let flat = 0; flat < 3 && warm < 40; warm++) {
  const start = process.memoryUsage().heapUsed;
  move(WARM_UP);
  await new Promise((resolve) => setTimeout(resolve, 50));
  flat = process.memoryUsage().heapUsed - start < 0.4 * WARM_UP ? flat + 1 : 0;
}
global.gc();
await new Promise((resolve) => setTimeout(resolve, 50));
collections = 0;
const before = process.memoryUsage().heapUsed;
move(FRAMES);
const grown = process.memoryUsage().heapUsed - before;
await new Promise((resolve) => setTimeout(resolve, 50));
observer.disconnect();

const moved = b.dataplane.counters.get("rxFrames") - warm * WARM_UP;
console.log(JSON.stringify({ frames: FRAMES, moved, grown, collections, lost: network.lost }));
