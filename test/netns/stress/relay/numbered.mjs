// Datagrams whose every bit is known, to try the relay itself with. Told by lines of JSON (`../../traffic/helper.ts`).
//
//   argument                                        JSON { family, local, port }
//   { "send": [from, to], "address", "segment" }    numbers from … to − 1; with `segment` in UDP_SEGMENT trains
//   { "report": true }                              → what came: { received, twice, late, oneBit, moreBits }
//
// A datagram is its number, 4 bytes, 256 times over.
import { createInterface } from "node:readline";
import { Datagrams } from "../../pod/datagrams.mjs";

const WORDS = 256;
const BYTES = 4 * WORDS;
const TRAIN = 16;

const { family, local, port } = JSON.parse(process.argv[2]);
const socket = new Datagrams(family, port, local);
const report = { received: 0, twice: 0, late: 0, oneBit: 0, moreBits: 0 };
const seen = new Set();
let highest = -1;

socket.receive((payload) => {
  const words = Array.from(
    { length: payload.length >> 2 },
    (_, i) => payload[4 * i + 3] | (payload[4 * i + 2] << 8),
  );
  // One of them may be damaged, so the number is what most of the first three say.
  const number = words[0] === words[1] || words[0] === words[2] ? words[0] : words[1];
  const wrong = difference(payload, number);
  report.received++;
  if (wrong === 1) report.oneBit++;
  else if (wrong > 1) report.moreBits++;
  if (seen.has(number)) report.twice++;
  else if (number < highest) report.late++;
  seen.add(number);
  highest = Math.max(highest, number);
});

/** Bits that are not as they were sent. */
function difference(payload, number) {
  const expected = datagram(number);
  let bits = Math.abs(payload.length - BYTES) * 8;
  for (let i = 0; i < payload.length; i++) {
    for (let x = payload[i] ^ expected[i]; x !== 0; x &= x - 1) bits++;
  }
  return bits;
}

function datagram(number) {
  const bytes = Buffer.alloc(BYTES);
  for (let i = 0; i < WORDS; i++) bytes.writeUInt32BE(number, 4 * i);
  return bytes;
}

function send({ send: [from, to], address, segment }) {
  for (let number = from; number < to; number += segment ? TRAIN : 1) {
    const count = segment ? Math.min(TRAIN, to - number) : 1;
    const payload = Buffer.concat(Array.from({ length: count }, (_, i) => datagram(number + i)));
    socket.send(payload, address, port, { segment: segment ? BYTES : 0 });
  }
  return {};
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const message = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(message.send ? send(message) : report)}\n`);
});
