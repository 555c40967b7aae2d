/**
 * Both stages of the dataplane, a batch of full-sized frames at a time as the loop runs them, between rings: what
 * one frame costs beside the kernel's part. Making the rows ready and completing them is in the figure.
 */
import { Arena, VNET_AT, VNET_LENGTH, VXLAN_AT } from "../../dist/dataplane/arena.js";
import { Counters } from "../../dist/dataplane/counters.js";
import { Decap, HEADER_SLAB_BYTES, READY_ROWS } from "../../dist/dataplane/decap.js";
import { Encap } from "../../dist/dataplane/encap.js";
import { LENGTH, Ring } from "../../dist/dataplane/ring.js";
import { Fdb, VtepTable } from "../../dist/fdb/index.js";
import { writeVxlanHeader } from "../../dist/wire/index.js";

export const cases = [
  { name: "encap, 1450-byte TCP", aim: 50, prepare: () => encap(false) },
  { name: "encap with source port", prepare: () => encap(true) },
  { name: "decap, 1450-byte TCP", aim: 50, prepare: () => decap() },
];

const BATCH = 64;
const MTU = 1450;
const FRAME_LENGTH = 14 + MTU;
const CAPABILITIES = { sendTos: true, recvTos: true, sourcePort: false };
const OPTIONS = {
  vni: 1,
  mac: "02:00:00:00:00:01",
  mtu: MTU,
  reservedBits: "rfc",
  senderCheck: "strict",
  tos: 0,
};

/** A frame with a finished TCP checksum field, from and to the MAC whose last bytes are 02. */
function frame() {
  const bytes = new Uint8Array(FRAME_LENGTH).map((_, i) => i * 7);
  bytes.set([
    2,
    0,
    0,
    0,
    0,
    2,
    2,
    0,
    0,
    0,
    0,
    2,
    0x08,
    0x00,
    0x45,
    0,
    MTU >> 8,
    MTU & 0xff,
    0,
    1,
    0x40,
    0,
    64,
    6,
  ]);
  bytes.set([10, 244, 1, 2, 10, 244, 2, 5, 0x9c, 0x40, 0x14, 0x51], 26);
  return bytes;
}

function setUp(lead, packet) {
  const arena = new Arena(8 * 1024 * 1024);
  const pool = arena.carvePool(2048, BATCH);
  for (let slot = 0; slot < BATCH; slot++) arena.bytes.set(packet, slot * pool.slotSize + lead);
  const fdb = new Fdb(1);
  const vteps = new VtepTable(1);
  fdb.add(1, 0x0200, 2, vteps.acquire(Uint8Array.of(172, 19, 0, 3), 8472));
  const filled = new Ring(pool, BATCH);
  const ready = new Ring(pool, READY_ROWS);
  for (let row = 0; row < BATCH; row++) filled.addresses.set([2, 0, 0x21, 0x18, 172, 19, 0, 3], row * 28);
  return { arena, fdb, vteps, filled, ready, counters: new Counters() };
}

/** Runs `stage` on batches until n packets have passed. */
function runner({ filled, ready }, stage, lead, length) {
  return (n) => {
    for (let done = 0; done < n; done += BATCH) {
      filled.prepare(BATCH, lead);
      for (let i = 0; i < BATCH; i++) filled.words[filled.row(filled.head + i) + LENGTH] = length;
      filled.publish(BATCH, BATCH);
      stage.run(filled, ready);
      if (ready.length !== BATCH) throw new Error(`${BATCH - ready.length} of ${BATCH} packets were dropped`);
      ready.complete(BATCH);
    }
    return filled.head;
  };
}

function encap(sourcePort) {
  const packet = Uint8Array.from([...new Uint8Array(VNET_LENGTH), ...frame()]);
  const parts = setUp(VNET_AT, packet);
  const { arena, fdb, counters } = parts;
  const stage = new Encap(arena.bytes, fdb, OPTIONS, { ...CAPABILITIES, sourcePort }, counters);
  return runner(parts, stage, VNET_AT, packet.length);
}

function decap() {
  const header = new Uint8Array(8);
  writeVxlanHeader(header, 0, 1);
  const packet = Uint8Array.from([...header, ...frame()]);
  const parts = setUp(VXLAN_AT, packet);
  const { arena, fdb, vteps, counters } = parts;
  const stage = new Decap(arena.bytes, arena.reserve(HEADER_SLAB_BYTES), fdb, vteps, OPTIONS, counters);
  return runner(parts, stage, VXLAN_AT, packet.length);
}
