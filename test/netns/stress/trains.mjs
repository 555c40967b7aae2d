// UDP as QUIC sends it: UDP_SEGMENT trains of numbered datagrams, as many underway as the receiver's acknowledgements
// allow. Every datagram that is delivered is compared with what was sent.
//
//   trains.mjs serve               prints "ready"; receives on one port with UDP_GRO, on the other without
//   trains.mjs send ADDRESS        standard input: JSON { count, segment, burst, seed, gro, patience }; prints
//                                  { sent, arrived, duplicates, late, damaged, trains }
//
// A datagram: number (4) · its own length (2) · the number again, inverted (4) · a piece of the stream `seed`, which
// depends on the number.
import { createCipheriv } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { Arena } from "../../../dist/dataplane/arena.js";
import { LENGTH, OFFSET, Ring, SEGMENT } from "../../../dist/dataplane/ring.js";
import { ADDRESS_BYTES, sockaddrPort } from "../../../dist/fdb/sockaddr.js";
import { loadShim, POLLIN } from "../../../dist/io/linux/shim.js";
import { openUdp } from "../../../dist/io/linux/udp.js";
import { Datagrams } from "../pod/datagrams.mjs";

const CONTROL_PORT = 22_001;
const PORT = { true: 22_002, false: 22_003 };
/** Datagrams underway: fewer than fit any queue on the way (a TAP's holds 500 or more). */
const WINDOW = 256;
const HEAD = 10;
/** Content of datagrams, from which each takes another piece. */
const BLOCK = 1 << 20;
const STEP = 251;
const MOST = 1500;
const SLOTS = 32;
const SLOT = 65_536;
const BUFFER = 8 << 20;

function block(seed) {
  const key = Buffer.alloc(16);
  key.writeUInt32BE(seed);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(BLOCK));
}

function contentAt(number) {
  return (number * STEP) % (BLOCK - MOST);
}

function write(into, at, length, number, content) {
  into.writeUInt32BE(number, at);
  into.writeUInt16BE(length, at + 4);
  into.writeUInt32BE(~number >>> 0, at + 6);
  const from = contentAt(number);
  content.copy(into, at + HEAD, from, from + length - HEAD);
}

/** @returns its number, or −1 when it is not what was sent */
function read(payload, content) {
  if (payload.length < HEAD || payload.readUInt16BE(4) !== payload.length) return -1;
  const number = payload.readUInt32BE(0);
  if (payload.readUInt32BE(6) !== ~number >>> 0) return -1;
  const from = contentAt(number);
  return content.compare(payload, HEAD, payload.length, from, from + payload.length - HEAD) === 0
    ? number
    : -1;
}

/** What came from one sender. */
class Session {
  report = { arrived: 0, duplicates: 0, late: 0, damaged: 0, trains: 0 };
  highest = -1;
  #content;
  #seen;

  constructor({ seed, count }) {
    this.#content = block(seed);
    this.#seen = new Uint8Array(count);
  }

  take(payload) {
    const { report } = this;
    const number = read(payload, this.#content);
    if (number < 0 || number >= this.#seen.length) {
      report.damaged++;
    } else if (this.#seen[number]++ > 0) {
      report.duplicates++;
    } else {
      report.arrived++;
      if (number < this.highest) report.late++;
      else this.highest = number;
    }
  }
}

/** Sessions by the sender's port. */
const sessions = new Map();
const acknowledger = createSocket("udp6");
/** Datagrams to a port that no session is for: a flipped bit in the port would be one, if no checksum caught it. */
let strays = 0;

/** Receives for all sessions on one port. */
function receive(family, gro) {
  const shim = loadShim();
  const ring = new Ring(new Arena(SLOTS * SLOT).carvePool(SLOT, SLOTS), SLOTS);
  const { fd } = openUdp({
    ...{ family, address: "", port: PORT[gro], receiveBuffer: BUFFER, sendBuffer: BUFFER, gro },
    ...{ reusePort: false, noCheck: false, dontFragment: false, ttl: 0 },
  });
  const { bytes, words, mask, addresses } = ring;
  const buffer = Buffer.from(bytes.buffer);
  const one = (position) => {
    const row = ring.row(position);
    const session = sessions.get(sockaddrPort(addresses, (position & mask) * ADDRESS_BYTES));
    if (session === undefined) return void strays++;
    const [at, length, segment] = [words[row + OFFSET], words[row + LENGTH], words[row + SEGMENT] & 0xffff];
    const step = segment || Math.max(length, 1);
    if (length > step) session.report.trains++;
    for (let done = 0; done < Math.max(length, 1); done += step) {
      session.take(buffer.subarray(at + done, at + Math.min(done + step, length)));
    }
    session.dirty = true;
  };
  const drain = () => {
    for (;;) {
      const n = ring.prepare(SLOTS, 0);
      const got = shim.recvBatch(fd, bytes, words, mask, ring.head, n, addresses);
      ring.publish(n, Math.max(got, 0));
      if (got <= 0) break;
      for (let i = 0; i < got; i++) one(ring.tail + i);
      ring.complete(got);
    }
    for (const session of sessions.values()) acknowledge(session);
  };
  shim.watch(fd, drain).update(POLLIN);
}

function acknowledge(session) {
  if (!session.dirty) return;
  session.dirty = false;
  acknowledger.send(String(session.highest), session.ackPort, session.address);
}

function control(socket) {
  socket.on("error", () => {});
  createInterface({ input: socket }).on("line", (line) => {
    const message = JSON.parse(line);
    if (message.open) {
      const { port, ackPort } = message.open;
      const session = Object.assign(new Session(message.open), { ackPort, address: socket.remoteAddress });
      sessions.set(port, session);
      socket.on("close", () => sessions.delete(port));
      socket.write(`${JSON.stringify({})}\n`);
    } else {
      socket.write(`${JSON.stringify({ ...sessions.get(message.ask).report, strays })}\n`);
    }
  });
}

async function send(address, { count, segment, burst, seed, gro, patience }) {
  const content = block(seed);
  const socket = new Datagrams(address.includes(":") ? 6 : 4);
  const acks = createSocket("udp6");
  acks.bind(0, "::");
  await once(acks, "listening");
  const server = connect({ host: address, port: CONTROL_PORT });
  const answers = createInterface({ input: server })[Symbol.asyncIterator]();
  const ask = async (message) => {
    server.write(`${JSON.stringify(message)}\n`);
    return JSON.parse((await answers.next()).value);
  };
  await ask({ open: { port: socket.port, ackPort: acks.address().port, seed, count } });

  let acked = -1;
  let wake = () => {};
  acks.on("message", (message) => {
    const highest = Number(message.toString());
    if (highest > acked) acked = highest;
    wake();
  });
  /** Waits for an acknowledgement. @returns false when none came in time */
  const acknowledged = () =>
    new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), patience);
      wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });

  const payload = Buffer.alloc(burst * segment);
  for (let number = 0, train = 0; number < count; train++) {
    const datagrams = Math.min(1 + (train % burst), count - number);
    while (number + datagrams - acked > WINDOW) {
      // What is underway for so long is lost.
      if (!(await acknowledged())) acked = number - 1;
    }
    let length = 0;
    for (let i = 0; i < datagrams; i++) {
      const last = i === datagrams - 1 && train % 3 === 0;
      const size = last ? HEAD + 1 + ((train * 37) % (segment - HEAD)) : segment;
      write(payload, length, size, number + i, content);
      length += size;
    }
    const whole = payload.subarray(0, length);
    socket.send(whole, address, PORT[gro], { segment: datagrams > 1 ? segment : 0 });
    number += datagrams;
  }
  let report = await ask({ ask: socket.port });
  for (let before = -1; report.arrived < count && report.arrived !== before; ) {
    before = report.arrived;
    await new Promise((resolve) => setTimeout(resolve, 300));
    report = await ask({ ask: socket.port });
  }
  for (const open of [server, acks, socket]) (open.destroy ?? open.close).call(open);
  return { sent: count, ...report };
}

const [what, address] = process.argv.slice(2);
if (what === "serve") {
  for (const family of [4, 6]) for (const gro of [true, false]) receive(family, gro);
  createServer(control).listen(CONTROL_PORT, "::", () => console.log("ready"));
} else {
  console.log(JSON.stringify(await send(address, JSON.parse(await text(process.stdin)))));
}
