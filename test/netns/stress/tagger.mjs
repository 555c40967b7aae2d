// A VLAN device in userspace, since not every kernel has them: what leaves TAP `inner` goes out of TAP `trunk` with a
// tag, what comes in from `trunk` with that tag comes in from `inner` without it. Both TAPs have every offload on, so
// super-frames stay whole.
//
//   argument   JSON { inner, trunk, tag }; prints "ready" when both are there
import { Arena } from "../../../dist/dataplane/arena.js";
import { LENGTH, OFFSET, Ring } from "../../../dist/dataplane/ring.js";
import { loadShim, POLLIN } from "../../../dist/io/linux/shim.js";

// include/uapi/linux/if_tun.h
const FLAGS = 0x0002 | 0x1000 | 0x4000; // IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
const OFFLOADS = 0x01 | 0x02 | 0x04 | 0x20 | 0x40; // TUN_F_CSUM, TSO4, TSO6, USO4, USO6
const VNET = 12;
const MACS = 12;
const TAG = 4;
const SLOTS = 32;
const SLOT = 66_000;
/** Bytes per batch: no bound but the slots. */
const BUDGET = SLOTS * SLOT;
/** Where a read starts in its slot: there is room for a tag before it. */
const LEAD = 16;

const { inner, trunk, tag } = JSON.parse(process.argv[2]);
const shim = loadShim();

/** Where a frame with its tag starts once it has one, or −1 for one to be dropped. */
function insert(bytes, at) {
  bytes.copyWithin(at - TAG, at, at + VNET + MACS);
  const tagAt = at - TAG + VNET + MACS;
  bytes.set([0x81, 0x00, tag >>> 8, tag & 0xff], tagAt);
  shift(bytes, at - TAG, TAG);
  return at - TAG;
}

function remove(bytes, at) {
  const tagAt = at + VNET + MACS;
  const found = bytes[tagAt] === 0x81 && bytes[tagAt + 1] === 0;
  if (!found || (((bytes[tagAt + 2] & 0x0f) << 8) | bytes[tagAt + 3]) !== tag) return -1;
  bytes.copyWithin(at + TAG, at, at + VNET + MACS);
  shift(bytes, at + TAG, -TAG);
  return at + TAG;
}

/** Moves what the vnet header at `at` says about the frame: hdr_len where there is one, csum_start where it counts. */
function shift(bytes, at, by) {
  const add = (field) => {
    const value = (bytes[field] | (bytes[field + 1] << 8)) + by;
    bytes[field] = value & 0xff;
    bytes[field + 1] = value >>> 8;
  };
  const NEEDS_CSUM = 1;
  if (bytes[at + 1] !== 0) add(at + 2);
  if ((bytes[at] & NEEDS_CSUM) !== 0) add(at + 6);
}

function pump(from, to, change) {
  const ring = new Ring(new Arena(SLOTS * (SLOT + 64)).carvePool(SLOT, SLOTS), SLOTS);
  const { bytes, words, mask } = ring;
  const turn = () => {
    const n = ring.prepare(SLOTS, LEAD);
    const read = Math.max(shim.readBatch(from, bytes, words, mask, ring.head, n, BUDGET), 0);
    ring.publish(n, read);
    for (let i = 0; i < read; i++) {
      const row = ring.row(ring.tail);
      const before = words[row + OFFSET];
      const at = change(bytes, before);
      if (at >= 0) {
        words[row + OFFSET] = at;
        words[row + LENGTH] += before - at;
        // A refusal (−errno: a damaged frame that this kernel cannot cut) is a loss, as on any wire.
        shim.writeBatch(to, bytes, words, mask, ring.tail, 1);
      }
      ring.complete(1);
    }
  };
  const watch = shim.watch(from, turn);
  watch.update(POLLIN);
  return watch;
}

const [a, b] = [inner, trunk].map((name) => shim.tapOpen(name, FLAGS, VNET, OFFLOADS).fd);
pump(a, b, insert);
pump(b, a, remove);
process.stdin.on("end", () => process.exit(0)).resume();
console.log("ready");
