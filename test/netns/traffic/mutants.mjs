// Damaged packets from one address to one port, told by lines of JSON on standard input (`helper.ts`).
//
//   { "send": n, "to": [port, address] }    n more datagrams → { sent }
//
// Arguments: address to send from, seed, then good datagrams as base64. The same seed makes the same datagrams.
import { createInterface } from "node:readline";
import { Datagrams } from "../pod/datagrams.mjs";

const [address, seed, ...texts] = process.argv.slice(2);
const good = texts.map((text) => Buffer.from(text, "base64"));
const socket = new Datagrams(address.includes(":") ? 6 : 4, 0, address);

let state = Number(seed) | 1;

/** xorshift32: 0 to n − 1. */
function below(n) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % n;
}

function noise(length) {
  return Buffer.from(Uint8Array.from({ length }, () => below(256)));
}

/** What parsers trip over: ends of ranges, and lengths that are one off. */
const AWKWARD = [0, 1, 0x7f, 0x80, 0xff];

/** Changes bytes where they are. Most changes hit the first hundred, where the headers are. */
function damage(bytes) {
  for (let changes = below(4); changes > 0 && bytes.length > 0; changes--) {
    const at = below(below(4) > 0 ? Math.min(bytes.length, 100) : bytes.length);
    if (below(2) > 0) bytes[at] ^= 1 << below(8);
    else bytes[at] = AWKWARD[below(AWKWARD.length)];
  }
  return bytes;
}

/** Makes it shorter, longer, or puts the end of another one behind it. */
function reshape(bytes) {
  const way = below(6);
  if (way === 0) return bytes.subarray(0, below(bytes.length + 1));
  if (way === 1) return Buffer.concat([bytes, noise(below(200))]);
  if (way !== 2) return bytes;
  const other = good[below(good.length)];
  return Buffer.concat([bytes.subarray(0, below(bytes.length + 1)), other.subarray(below(other.length))]);
}

function mutant() {
  if (below(10) === 0) return noise(below(2000));
  return reshape(damage(Buffer.from(good[below(good.length)])));
}

/** Datagrams of one length, which leave in one UDP_SEGMENT send and arrive as one train. @returns how many */
function sendTrain(to) {
  const pattern = good[below(good.length)];
  const n = Math.min(2 + below(15), Math.floor(60_000 / pattern.length));
  if (n < 2 || pattern.length > 1400) return sendOne(to);
  const train = Array.from({ length: n }, () => damage(Buffer.from(pattern)));
  socket.send(Buffer.concat(train), to[1], to[0], { segment: pattern.length });
  return n;
}

function sendOne(to) {
  socket.send(mutant(), to[1], to[0]);
  return 1;
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const { send, to } = JSON.parse(line);
  let sent = 0;
  try {
    while (sent < send) sent += below(4) === 0 ? sendTrain(to) : sendOne(to);
    console.log(JSON.stringify({ sent }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
});
