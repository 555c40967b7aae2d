// TCP between pods, each direction with a digest at its end.
//
//   streams.mjs serve              prints "ready"
//   streams.mjs call ADDRESS       standard input: JSON { calls: [call, …], parallel }; prints { bytes, failures }
//
// A call is { up, down, seed, together, cuts }: bytes to send and to take; with `together` both flow at the same time,
// otherwise the answer follows the question; with `cuts` every write is 1 to so many bytes, else 256 KB.
//
//   caller → server    head (JSON, one line) · up bytes · digest · FIN
//   server → caller    down bytes · digest · one byte: whether the other direction's digest was right · FIN
//
// The bytes are AES-CTR keystream under the seed: reproducible, and no two segments of a stream are alike.
import { createCipheriv, createHash } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { draw } from "../../../dist/io/middleware/dice.js";

const PORT = 22_000;
const CHUNK = 256 * 1024;
const DIGEST = 32;
const ZEROS = Buffer.alloc(CHUNK);
const GOOD = 1;

function keystream(seed) {
  const key = Buffer.alloc(16);
  key.writeUInt32BE(seed);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
}

/** Writes `bytes` of the stream `seed`, and their digest. */
async function give(socket, bytes, seed, cuts) {
  const cipher = keystream(seed);
  const hash = createHash("sha256");
  for (let done = 0, n = 0; done < bytes; n++) {
    const most = cuts > 0 ? 1 + Math.floor(draw(seed, n, 0) * cuts) : CHUNK;
    const piece = cipher.update(ZEROS.subarray(0, Math.min(most, bytes - done)));
    done += piece.length;
    hash.update(piece);
    if (!socket.write(piece)) await drained(socket);
  }
  socket.write(hash.digest());
}

/** Waits until it may be written to again. @throws its error, or that it was closed */
function drained(socket) {
  if (socket.destroyed) throw new Error("closed while there was more to send");
  return new Promise((resolve, reject) => {
    const settle = (end) => () => {
      socket.off("drain", ok);
      socket.off("close", closed);
      end();
    };
    const ok = settle(resolve);
    const closed = settle(() => reject(new Error("closed while there was more to send")));
    socket.once("drain", ok);
    socket.once("close", closed);
  });
}

/** Takes a stream of `bytes` and its digest, chunk by chunk; what comes after them is `rest`. */
class Taker {
  rest = [];
  #hash = createHash("sha256");
  #left;
  #digest = [];
  #digestLeft = DIGEST;

  constructor(bytes) {
    this.#left = bytes;
  }

  take(chunk) {
    const data = chunk.subarray(0, this.#left);
    if (data.length > 0) this.#hash.update(data);
    this.#left -= data.length;
    const digest = chunk.subarray(data.length, data.length + this.#digestLeft);
    this.#digestLeft -= digest.length;
    if (digest.length > 0) this.#digest.push(Buffer.from(digest));
    const rest = chunk.subarray(data.length + digest.length);
    if (rest.length > 0) this.rest.push(...rest);
  }

  /** Null when everything came and is right, else what is wrong. */
  verdict() {
    if (this.#digestLeft > 0) return `ended with ${this.#left + this.#digestLeft} bytes to come`;
    return this.#hash.digest().equals(Buffer.concat(this.#digest)) ? null : "its digest is wrong";
  }
}

async function call(address, { up, down, seed, together, cuts }) {
  const socket = connect({ host: address, port: PORT, allowHalfOpen: true, noDelay: seed % 2 === 0 });
  const failed = once(socket, "error").then(([error]) => Promise.reject(error));
  failed.catch(() => {});
  const taker = new Taker(down);
  socket.on("data", (chunk) => taker.take(chunk));
  const ended = once(socket, "end");
  ended.catch(() => {});
  try {
    socket.write(`${JSON.stringify({ up, down, seed, together, cuts })}\n`);
    await Promise.race([give(socket, up, seed, cuts), failed]);
    socket.end();
    await Promise.race([ended, failed]);
    const wrong = taker.verdict();
    if (wrong !== null) return `the stream back: ${wrong}`;
    return taker.rest.length === 1 && taker.rest[0] === GOOD ? null : "the stream there: its digest is wrong";
  } catch (error) {
    return error.message;
  } finally {
    socket.destroy();
  }
}

async function callAll(address, { calls, parallel }) {
  const failures = [];
  let next = 0;
  const worker = async () => {
    while (next < calls.length) {
      const number = next++;
      const failure = await call(address, calls[number]);
      if (failure !== null) failures.push(`call ${number}, ${JSON.stringify(calls[number])}: ${failure}`);
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return { bytes: calls.reduce((sum, { up, down }) => sum + up + down, 0), failures };
}

/** A connection as the server sees it. */
function answer(socket) {
  let head = Buffer.alloc(0);
  let request;
  let taker;
  let given;
  const fail = (error) => {
    console.error(`stream: ${error.message}`);
    socket.destroy();
  };
  const back = () => give(socket, request.down, request.seed + 1_000_000, request.cuts);
  socket.on("error", fail);
  socket.on("data", (chunk) => {
    if (taker) return taker.take(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\n");
    if (end < 0) return;
    request = JSON.parse(head.subarray(0, end).toString());
    socket.setNoDelay(request.seed % 3 === 0);
    taker = new Taker(request.up);
    taker.take(head.subarray(end + 1));
    if (request.together) {
      given = back();
      given.catch(fail);
    }
  });
  socket.on("end", async () => {
    if (!taker) return fail(new Error("ended before its head"));
    try {
      const wrong = taker.verdict();
      if (wrong !== null) console.error(`stream ${request.seed}: ${wrong}`);
      await (given ?? back());
      socket.end(Buffer.of(wrong === null ? GOOD : 0));
    } catch (error) {
      fail(error);
    }
  });
}

const [what, address] = process.argv.slice(2);
if (what === "serve") {
  createServer({ allowHalfOpen: true }, answer).listen(PORT, "::", () => console.log("ready"));
} else {
  console.log(JSON.stringify(await callAll(address, JSON.parse(await text(process.stdin)))));
}
