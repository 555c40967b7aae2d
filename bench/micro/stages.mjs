/**
 * Both stages of the dataplane, a batch at a time as the loop runs them, between rings: what one frame costs beside the
 * kernel's part. Making the rows ready and completing them is in the figure. A super-frame is counted by its segments.
 */
import { Arena, VNET_AT, VNET_LENGTH, VXLAN_AT } from "../../dist/dataplane/arena.js";
import { Coalescer } from "../../dist/dataplane/coalesce.js";
import { Counters, dropIndex } from "../../dist/dataplane/counters.js";
import { Decap, HEADER_SLAB_BYTES, READY_ROWS } from "../../dist/dataplane/decap.js";
import { DropTeller } from "../../dist/dataplane/drop-teller.js";
import { Encap } from "../../dist/dataplane/encap.js";
import { portsBetween } from "../../dist/dataplane/entropy.js";
import { DROPPED, EventRing, PACKETS } from "../../dist/dataplane/event-ring.js";
import { Learner } from "../../dist/dataplane/learn.js";
import { NO_LEARNING } from "../../dist/dataplane/options.js";
import { PathMtus } from "../../dist/dataplane/path-mtus.js";
import { NeighbourProxy } from "../../dist/dataplane/proxy.js";
import { LENGTH, OFFSET, Ring, SEGMENT } from "../../dist/dataplane/ring.js";
import { Segmenter, SLOTS_TO_CUT, segmentSlabBytes } from "../../dist/dataplane/segment.js";
import { Fdb, NeighbourTable, RemoteSets, VtepTable } from "../../dist/fdb/index.js";
import { native } from "../../dist/io/linux/sums.js";
import { checksum, writeVxlanHeader } from "../../dist/wire/index.js";

export const cases = [
  { name: "encap, 1450-byte TCP", aim: 50, prepare: () => encap({}) },
  { name: "encap with source port", prepare: () => encap({ ports: portsBetween() }) },
  { name: "encap as GSO messages", prepare: () => encap({ gso: true }) },
  { name: "encap, TTL and DF inherited", prepare: () => encap({ ttl: "inherit", df: "inherit" }) },
  { name: "encap to 1,000,000 MACs", prepare: () => encapToMany(1_000_000) },
  { name: "ARP request answered", prepare: answered },
  { name: "decap, 1450-byte TCP", aim: 50, prepare: () => decap() },
  { name: "decap, and learn from it", prepare: () => decap({ learning: true }) },
  { name: "datagram dropped", prepare: () => dropped(0) },
  { name: "datagram dropped, and told", prepare: () => dropped(DROPPED) },
  { name: "sent while nobody watches", prepare: () => passing(0) },
  { name: "sent while somebody watches", prepare: () => passing(PACKETS) },
  { name: "flood to 10 VTEPs, per copy", prepare: () => flood(10) },
  { name: "segment, per segment", prepare: segment },
  { name: "coalesce, per segment", prepare: coalesce },
];

const BATCH = 64;
const MTU = 1450;
const TCP_PAYLOAD = MTU - 40;
/** Segments in a super-frame: as many as fit into 64 KB. */
const SEGMENTS = 46;
const OPTIONS = {
  vni: 1,
  mac: "02:00:00:00:00:01",
  mtu: MTU,
  reservedBits: "rfc",
  senderCheck: "strict",
  tos: 0,
};

const MACS = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 2];
const ADDRESSES = [10, 244, 1, 2, 10, 244, 2, 5];
const PORTS = [0x9c, 0x40, 0x14, 0x51];

/** TCP over IPv4 from and to the MAC whose last bytes are 02, its checksums right. */
function frame(payload = TCP_PAYLOAD, sequence = 0) {
  const total = 40 + payload;
  const bytes = new Uint8Array(14 + total).map((_, i) => i * 7);
  bytes.set([...MACS, 0x08, 0x00, 0x45, 0, total >> 8, total, 0, 1, 0x40, 0, 64, 6, 0, 0, ...ADDRESSES]);
  const tcp = [
    ...PORTS,
    sequence >> 24,
    sequence >> 16,
    sequence >> 8,
    sequence,
    0,
    0,
    0,
    1,
    0x50,
    0x10,
    1,
    0,
  ];
  bytes.set([...tcp, 0, 0, 0, 0], 34);
  const ip = checksum(bytes, 14, 20);
  bytes.set([ip >> 8, ip], 24);
  const pseudo = checksum(Uint8Array.of(...ADDRESSES, 0, 6, (20 + payload) >> 8, 20 + payload), 0, 12);
  const sum = checksum(bytes, 34, 20 + payload, ~pseudo & 0xffff);
  bytes.set([sum >> 8, sum], 50);
  return bytes;
}

function setUp(lead, packet) {
  const arena = new Arena(16 * 1024 * 1024);
  const slotBytes = packet.length < 2048 ? 2048 : Math.max(65_600, packet.length + 64); // as the dataplane has them
  const pool = arena.carvePool(slotBytes, BATCH + SLOTS_TO_CUT);
  for (let slot = 0; slot < BATCH; slot++) arena.bytes.set(packet, slot * pool.slotSize + lead);
  const fdb = new Fdb(1);
  const vteps = new VtepTable(1);
  fdb.add(1, 0x0200, 2, vteps.acquire(Uint8Array.of(172, 19, 0, 3), 8472));
  const filled = new Ring(pool, BATCH);
  const ready = new Ring(pool, READY_ROWS);
  for (let row = 0; row < BATCH; row++) filled.addresses.set([2, 0, 0x21, 0x18, 172, 19, 0, 3], row * 28);
  const counters = new Counters();
  const events = new EventRing();
  const drops = new DropTeller(counters, events, arena.bytes, OPTIONS.vni);
  return { arena, fdb, vteps, remotes: new RemoteSets(), filled, ready, counters, drops, events };
}

/** Runs `stage` on `batch` rows at a time, of `per` packets each, until n packets have passed. */
function runner({ filled, ready }, stage, lead, length, batch = BATCH, per = 1, segment = 0) {
  return (n) => {
    for (let done = 0; done < n; done += batch * per) {
      filled.prepare(batch, lead);
      for (let i = 0; i < batch; i++) {
        filled.words[filled.row(filled.head + i) + LENGTH] = length;
        filled.words[filled.row(filled.head + i) + SEGMENT] = segment;
      }
      filled.publish(batch, batch);
      stage.run(filled, ready);
      if (ready.length !== batch * per) throw new Error(`${ready.length} rows instead of ${batch * per}`);
      ready.complete(batch * per);
      stage.restore?.();
    }
    return filled.head;
  };
}

function makeLearner({ arena, fdb, vteps, counters }, learning) {
  const options = { ...NO_LEARNING, vni: 1, port: 8472, learning };
  return new Learner(fdb, vteps, arena.bytes, options, counters, (vtep) => vteps.release(vtep, true));
}

/** What encap works on, but for what a case has of its own. */
function encapParts(parts) {
  const { arena, fdb, remotes, filled, drops } = parts;
  const { bytes } = arena;
  const proxy = new NeighbourProxy(bytes, new NeighbourTable(), new EventRing(), OPTIONS.vni);
  const answers = new Ring(filled.pool, BATCH);
  const tables = { fdb, remotes, learner: makeLearner(parts, false), paths: new PathMtus(), proxy };
  return { bytes, ...tables, segmenter: null, answers, drops };
}

/** Requests for a neighbour that the proxy knows; each is written anew, as the answer lies where the question was. */
function answered() {
  const head = [...new Array(6).fill(0xff), 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1];
  const who = [2, 0, 0, 0, 0, 1, ...ADDRESSES.slice(0, 4), 0, 0, 0, 0, 0, 0, ...ADDRESSES.slice(4)];
  const request = Uint8Array.from([...new Uint8Array(VNET_LENGTH), ...head, ...who]);
  const parts = setUp(VNET_AT, request);
  const { arena, filled, counters } = parts;
  const neighbours = new NeighbourTable(1);
  neighbours.replace(OPTIONS.vni, Uint8Array.from(ADDRESSES.slice(4)), 0x0200, 2);
  const policy = { on: true, unknown: "drop", l2miss: false, l3miss: false };
  const proxy = new NeighbourProxy(arena.bytes, neighbours, new EventRing(), OPTIONS.vni, policy);
  const target = { capabilities: { sendTos: true, gso: false }, sourcePorts: new Uint16Array(0) };
  const mine = { ...encapParts(parts), proxy };
  const encap = new Encap(mine, OPTIONS, target, counters);
  const sent = new Ring(filled.pool, BATCH);
  const run = () => {
    for (let i = filled.tail; i !== filled.head; i++) {
      arena.bytes.set(request, filled.words[filled.row(i) + OFFSET]);
    }
    encap.run(filled, sent);
  };
  return runner({ filled, ready: mine.answers }, { run }, VNET_AT, request.length);
}

function makeEncap(parts, { gso = false, ports = new Uint16Array(0), ...headers }) {
  const { arena, counters } = parts;
  const slab = arena.reserve(segmentSlabBytes(READY_ROWS));
  const segmenter = new Segmenter(arena.bytes, slab, OPTIONS, native().pieces);
  const capabilities = { sendTos: true, ttlPerPacket: true, df: true, gso };
  const target = { capabilities, sourcePorts: ports };
  return new Encap({ ...encapParts(parts), segmenter }, { ...OPTIONS, ...headers }, target, counters);
}

function makeDecap(parts, join, learning = false) {
  const { arena, fdb, vteps, counters, drops } = parts;
  const learner = makeLearner(parts, learning);
  const coalescer = new Coalescer(arena.bytes, READY_ROWS, join, join, native().sums);
  const headers = arena.reserve(HEADER_SLAB_BYTES);
  return new Decap({ bytes: arena.bytes, headers, fdb, vteps, coalescer, learner, drops }, OPTIONS, counters);
}

function encap(can) {
  const packet = Uint8Array.from([...new Uint8Array(VNET_LENGTH), ...frame()]);
  const parts = setUp(VNET_AT, packet);
  return runner(parts, makeEncap(parts, can), VNET_AT, packet.length);
}

/** Each frame to another MAC of a large table: what every frame costs when its row is in no cache. */
function encapToMany(macs) {
  const packet = Uint8Array.from([...new Uint8Array(VNET_LENGTH), ...frame()]);
  const parts = setUp(VNET_AT, packet);
  for (let lo = 3; lo < macs; lo++) parts.fdb.add(1, 0x0200, lo, 0);
  const stage = makeEncap(parts, {});
  const view = new DataView(parts.arena.bytes.buffer);
  let lo = 0;
  const addressing = {
    run(filled, ready) {
      for (let i = 0; i < BATCH; i++) {
        lo = (lo + 777_767) % macs;
        const at = filled.words[filled.row(filled.tail + i) + OFFSET] + VNET_LENGTH;
        view.setInt32(at + 2, Math.max(lo, 2));
      }
      stage.run(filled, ready);
    },
  };
  return runner(parts, addressing, VNET_AT, packet.length);
}

function vxlan(inner) {
  const header = new Uint8Array(8);
  writeVxlanHeader(header, 0, 1);
  return [...header, ...inner];
}

function decap({ learning = false } = {}) {
  const inner = frame();
  if (learning) inner[11] = 9; // a source MAC without a static row
  const packet = Uint8Array.from(vxlan(inner));
  const parts = setUp(VXLAN_AT, packet);
  return runner(parts, makeDecap(parts, false, learning), VXLAN_AT, packet.length);
}

/** Datagrams of a stranger. @param topics what somebody listens to */
function dropped(topics) {
  const packet = Uint8Array.from(vxlan(frame()));
  const { arena, filled, drops, events } = setUp(VXLAN_AT, packet);
  const counter = dropIndex("rx", "UNKNOWN_VTEP");
  const { bytes } = arena;
  let clock = 0;
  return (n) => {
    events.open(clock, topics);
    filled.prepare(1, VXLAN_AT);
    const at = filled.words[filled.row(filled.head) + OFFSET];
    const source = new DataView(bytes.buffer, bytes.byteOffset + at + 14);
    for (let done = 0; done < n; done++) {
      source.setUint16(4, done); // another MAC each time: none is like the one before
      if (done % BATCH === 0) events.drain(++clock, () => {});
      drops.datagram(counter, filled.addresses, 0, at, packet.length, 0);
    }
    filled.publish(1, 0);
    return drops.values[counter];
  };
}

/** Datagrams that are ready to be sent, as the loop shows them to whoever watches. @param topics what somebody listens to */
function passing(topics) {
  const packet = Uint8Array.from(vxlan(frame()));
  const { vteps, filled, drops, events } = setUp(VXLAN_AT, packet);
  const { packets } = drops;
  filled.prepare(BATCH, VXLAN_AT);
  for (let i = 0; i < BATCH; i++) filled.words[filled.row(filled.head + i) + LENGTH] = packet.length;
  filled.publish(BATCH, BATCH);
  events.open(0, topics);
  events.packets.open();
  let told = 0;
  return (n) => {
    for (let done = 0; done < n; done += BATCH) {
      // The agent looks twenty times a second; in that time a busy node sends some 10,000.
      if (done % 10_240 === 0) events.packets.drain(() => told++);
      if (packets.watched) packets.sent(filled, filled.tail, filled.head, vteps.slab);
    }
    return told;
  };
}

/** One broadcast at a time, to each of `count` VTEPs. */
function flood(count) {
  const inner = frame();
  inner.fill(255, 0, 6);
  const packet = Uint8Array.from([...new Uint8Array(VNET_LENGTH), ...inner]);
  const parts = setUp(VNET_AT, packet);
  const vtep = (i) => parts.vteps.acquire(Uint8Array.of(172, 19, 1, i), 8472);
  const set = parts.remotes.create(vtep(0));
  for (let i = 1; i < count; i++) parts.remotes.append(set, vtep(i));
  parts.fdb.add(1, 0, 0, set);
  return runner(parts, makeEncap(parts, {}), VNET_AT, packet.length, 1, count);
}

/** One super-frame at a time: its vnet header is overwritten, and its slot must be the next to be taken, so that is put back. */
function segment() {
  const vnet = Uint8Array.of(1, 1, 54, 0, TCP_PAYLOAD & 255, TCP_PAYLOAD >> 8, 34, 0, 16, 0, 0, 0);
  const packet = Uint8Array.from([...vnet, ...frame(SEGMENTS * TCP_PAYLOAD)]);
  const parts = setUp(VNET_AT, packet);
  const stage = makeEncap(parts, { gso: true });
  const { bytes } = parts.arena;
  const { pool } = parts.filled;
  const restoring = {
    run(filled, ready) {
      bytes.set(vnet, filled.words[filled.row(filled.tail) + OFFSET]);
      stage.run(filled, ready);
    },
    restore() {
      const slots = [pool.take(), pool.take(), pool.take()];
      for (const slot of slots) pool.release(slot);
    },
  };
  return runner(parts, restoring, VNET_AT, packet.length, 1, SEGMENTS);
}

/** One train at a time. Its first packet becomes the super-frame's header, so its bytes are put back. */
function coalesce() {
  const packets = Array.from({ length: SEGMENTS }, (_, i) => vxlan(frame(TCP_PAYLOAD, i * TCP_PAYLOAD)));
  const train = Uint8Array.from(packets.flat());
  const head = train.slice(0, 64);
  const parts = setUp(VXLAN_AT, train);
  const stage = makeDecap(parts, true);
  const { bytes } = parts.arena;
  const restoring = {
    run(filled, ready) {
      bytes.set(head, filled.words[filled.row(filled.tail) + OFFSET]);
      stage.run(filled, ready);
    },
  };
  return runner(parts, restoring, VXLAN_AT, train.length, 1, SEGMENTS, packets[0].length);
}
