// The client in a pod, for `serve.mjs` in another one. Its standard input and output are JSON.
//
//   send.mjs tcp ADDRESS      {"bytes"}: sends a stream, takes one of the same length. Prints {"sent", "received"}, each
//                             true when the digests of both ends agree
//   send.mjs udp ADDRESS      a list of {"bytes", "segment", "tos"}: sends datagrams. Prints {"sent", "received"}, each
//                             a list of [bytes, digest, tos] in order
//   send.mjs report ADDRESS   {"port", "count"}: prints what arrived there from that port
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { Datagrams } from "./datagrams.mjs";
import { CHUNK, DATA_PORT, DIGEST_BYTES, digestOf, REPORT_PORT } from "./protocol.mjs";

/** Datagrams on their way at one time: few enough for every queue that they cross (a TAP's holds 500 or more). */
const WINDOW = 128;
/** Milliseconds after which a datagram counts as lost. Only a test that is about to fail waits so long. */
const LOST = 10_000;

async function tcp(address, { bytes }) {
  const socket = connect({ host: address, port: DATA_PORT, allowHalfOpen: true });
  const own = createHash("sha256");
  const answer = [];
  socket.on("data", (chunk) => answer.push(chunk));
  const ended = once(socket, "end");
  for (let left = bytes; left > 0; left -= CHUNK) {
    const chunk = randomBytes(Math.min(CHUNK, left));
    own.update(chunk);
    if (!socket.write(chunk)) await once(socket, "drain");
  }
  socket.end();
  await ended;
  const all = Buffer.concat(answer);
  const body = all.subarray(DIGEST_BYTES, -DIGEST_BYTES);
  return {
    sent: all.subarray(0, DIGEST_BYTES).equals(own.digest()),
    received:
      body.length === bytes && createHash("sha256").update(body).digest().equals(all.subarray(-DIGEST_BYTES)),
  };
}

/** What one send arrives as. */
function pieces(payload, segment, tos) {
  const step = segment || Math.max(payload.length, 1);
  const count = Math.max(1, Math.ceil(payload.length / step));
  return Array.from({ length: count }, (_, i) => {
    const piece = payload.subarray(i * step, (i + 1) * step);
    return [piece.length, digestOf(piece), tos];
  });
}

/** Asks the server which datagrams came from a port of ours, once there are `count` of them. */
class Reports {
  #control;
  #answers;

  async open(address) {
    this.#control = connect({ host: address, port: REPORT_PORT });
    await once(this.#control, "connect");
    this.#answers = createInterface({ input: this.#control })[Symbol.asyncIterator]();
    return this;
  }

  async ask(port, count) {
    this.#control.write(`${JSON.stringify({ port, count, wait: LOST })}\n`);
    return JSON.parse((await this.#answers.next()).value);
  }

  close() {
    this.#control.destroy();
  }
}

async function udp(address, sends) {
  const reports = await new Reports().open(address);
  const socket = new Datagrams(address.includes(":") ? 6 : 4);
  const [sent, received] = [[], []];
  let underway = 0;
  for (const { bytes, segment = 0, tos = 0 } of sends) {
    const payload = randomBytes(bytes);
    const expected = pieces(payload, segment, tos);
    if (underway > 0 && underway + expected.length > WINDOW) {
      received.push(...(await reports.ask(socket.port, underway)));
      underway = 0;
    }
    socket.send(payload, address, DATA_PORT, { segment, tos });
    sent.push(...expected);
    underway += expected.length;
  }
  received.push(...(await reports.ask(socket.port, underway)));
  reports.close();
  socket.close();
  return { sent, received };
}

async function report(address, { port, count }) {
  const reports = await new Reports().open(address);
  const answer = await reports.ask(port, count);
  reports.close();
  return answer;
}

const [what, address] = process.argv.slice(2);
const run = { tcp, udp, report }[what];
console.log(JSON.stringify(await run(address, JSON.parse(await text(process.stdin)))));
