// Broadcasts ARP requests into a bridge as fast as it can, by a TAP that is made for it: a station that has gone mad.
//
//   argument  JSON { device, seconds }; prints "ready" when the device is there, then waits for a line to begin
//   output    JSON { sent }
import { once } from "node:events";
import { Arena } from "../../../dist/dataplane/arena.js";
import { Ring } from "../../../dist/dataplane/ring.js";
import { loadShim } from "../../../dist/io/linux/shim.js";

const FLAGS = 0x0002 | 0x1000 | 0x4000; // IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
const VNET = 12;
const BATCH = 64;
const { device, seconds } = JSON.parse(process.argv[2]);

const mac = [2, 0x99, 0, 0, 0, 0x66];
const arp = [0, 1, 8, 0, 6, 4, 0, 1, ...mac, 10, 9, 0, 66, 0, 0, 0, 0, 0, 0, 10, 9, 0, 67];
const frame = Uint8Array.from([...Array(6).fill(255), ...mac, 8, 6, ...arp, ...new Uint8Array(18)]);

const shim = loadShim();
const { fd } = shim.tapOpen(device, FLAGS, VNET, 0);
const pool = new Arena(BATCH * 256).carvePool(128, BATCH);
const ring = new Ring(pool, BATCH);
while (ring.room > 0) {
  const slot = pool.take();
  pool.bytes.set(frame, slot + VNET);
  ring.push(slot, slot, VNET + frame.length);
}
process.stdout.write("ready\n");
await once(process.stdin, "data");
const end = performance.now() + seconds * 1000;
let sent = 0;
while (performance.now() < end) {
  sent += Math.max(0, shim.writeBatch(fd, ring.bytes, ring.words, ring.mask, ring.tail, ring.length));
}
process.stdout.write(`${JSON.stringify({ sent })}\n`);
process.exit(0);
