// Numbered datagrams in a namespace, tens of thousands a second in several flows, each of them accounted for at the other
// end (`numbered.ts`). Told by lines of JSON (`helper.ts`). Runs dist/'s `batch` underlay, since node:dgram cannot send
// as many.
//
//   arguments                              address, port to receive on
//   { "stream": { "to", "port", "rate", "flows" } }   rate datagrams a second, over all flows
//   { "quiet": true }                      ends it → { sent: [of each flow] }
//   { "report": true }                     → { flows: [{ received, twice, late, lost: […] }], overflows }
//
// A datagram: flow, number, 4 bytes each, and padding.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Arena, VXLAN_AT } from "../../../dist/dataplane/arena.js";
import { LENGTH, OFFSET, PEER, Ring } from "../../../dist/dataplane/ring.js";
import { VtepTable } from "../../../dist/fdb/vteps.js";
import { BatchUnderlay } from "../../../dist/io/linux/batch.js";
import { openUdp } from "../../../dist/io/linux/udp.js";

const [address, port] = process.argv.slice(2);
const BYTES = 64;
const BATCH = 64;
const ROOM = 2048;
/** Some 100,000 small datagrams: whoever receives may be away for a second. */
const BUFFER = 64 << 20;
/** Datagrams that are made up for at once when a timer was late. */
const BURST = 256;
/** Lost ones that a report names. */
const NAMED = 20;

function udp(at) {
  const options = { family: 4, address, port: at, receiveBuffer: BUFFER, sendBuffer: 4 << 20, gro: false };
  return openUdp({ ...options, reusePort: false, noCheck: false, dontFragment: false, ttl: 0 });
}

const arena = new Arena(2 * BATCH * ROOM + 128);
const [outPool, inPool] = [arena.carvePool(ROOM, BATCH), arena.carvePool(ROOM, BATCH)];
const [out, incoming] = [new Ring(outPool, BATCH), new Ring(inPool, BATCH)];
const view = new DataView(arena.bytes.buffer, arena.bytes.byteOffset);
const vteps = new VtepTable();
const inbox = new BatchUnderlay(udp(Number(port)), { family: 4, checksum: "computed" });

/** Of each flow that came. */
const flows = [];
let stream = null;

function receive() {
  for (;;) {
    const got = inbox.recvBatch(incoming, BATCH);
    if (got <= 0) return;
    for (let i = 0; i < got; i++) {
      const row = incoming.row(incoming.tail + i);
      if (incoming.words[row + LENGTH] === BYTES)
        count(view.getUint32(incoming.words[row + OFFSET]), view.getUint32(incoming.words[row + OFFSET] + 4));
    }
    incoming.complete(got);
  }
}

function count(flow, number) {
  flows[flow] ??= {
    seen: new Uint8Array(1 << 20),
    received: 0,
    twice: 0,
    late: 0,
    highest: -1,
  };
  const state = flows[flow];
  if (number >= state.seen.length) {
    const more = new Uint8Array(2 * number);
    more.set(state.seen);
    state.seen = more;
  }
  if (state.seen[number] === 1) state.twice++;
  else if (number < state.highest) state.late++;
  state.seen[number] = 1;
  state.received++;
  state.highest = Math.max(state.highest, number);
}

function send() {
  const { started, rate, sockets, sent, target } = stream;
  const total = sent.reduce((sum, n) => sum + n, 0);
  let due = Math.min(Math.floor(((performance.now() - started) / 1000) * rate) - total, BURST);
  for (let flow = 0; due > 0; flow = (flow + 1) % sockets.length) {
    const many = Math.min(due, Math.ceil(BATCH / sockets.length));
    for (let i = 0; i < many; i++) {
      const slot = outPool.take();
      view.setUint32(slot + VXLAN_AT, flow);
      view.setUint32(slot + VXLAN_AT + 4, sent[flow] + i);
      const row = out.push(slot, slot + VXLAN_AT, BYTES);
      out.words[row + PEER] = target;
    }
    const gone = sockets[flow].sendBatch(out, vteps.slab);
    sent[flow] += Math.max(gone, 0);
    out.complete(out.length); // what did not go has its number given to the next
    if (gone < many) return;
    due -= many;
  }
}

setInterval(() => {
  receive();
  if (stream !== null) send();
}, 1);

function begin({ to, port, rate, flows }) {
  const target = vteps.acquire(Uint8Array.from(to.split(".").map(Number)), port);
  const sockets = Array.from(
    { length: flows },
    () => new BatchUnderlay(udp(0), { family: 4, checksum: "computed" }),
  );
  stream = { started: performance.now(), rate, sockets, sent: sockets.map(() => 0), target };
  return {};
}

function quiet() {
  const { sent } = stream;
  stream = null;
  return { sent };
}

function report() {
  receive();
  const described = flows.map(({ seen, received, twice, late, highest }) => {
    const lost = [];
    for (let i = 0; i < highest && lost.length < NAMED; i++) if (seen[i] === 0) lost.push(i);
    return { received, twice, late, lost };
  });
  return { flows: described, overflows: overflows() };
}

/** Datagrams that reached a socket of this namespace and found its buffer full: not the network's loss. */
function overflows() {
  const lines = readFileSync("/proc/self/net/snmp", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("Udp:"));
  const [names, values] = lines.map((line) => line.split(" "));
  return Number(values[names.indexOf("RcvbufErrors")]);
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const message = JSON.parse(line);
  const answer = message.stream ? begin(message.stream) : message.quiet ? quiet() : report();
  process.stdout.write(`${JSON.stringify(answer)}\n`);
});
