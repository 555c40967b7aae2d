// UDP in a namespace, told by lines of JSON on standard input (`udp.ts`). Arguments: address, port to bind.
//
//   { "send": [base64, …], "to": [port, address] }       one datagram after the other
//   { "stream": { "to": [port, address], "rate": n } }   numbered datagrams, n a second, until "quiet"
//   { "quiet": true }                                    → { sent }
//   { "report": true }                                   → what came in, and what this socket had no room for
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const [address, port] = process.argv.slice(2);
const socket = createSocket({ type: address.includes(":") ? "udp6" : "udp4" });
/** Texts that came and are no numbers of a stream; how often each number came. */
const texts = [];
const numbers = new Map();
let timer;
let sent = 0;

/** A stream's datagram: this word, then its number, then padding up to an ordinary size. */
const MARK = 0x706f706c;

socket.on("message", (message) => {
  if (message.length < 8 || message.readUInt32BE(0) !== MARK)
    return void texts.push(message.toString("latin1"));
  const number = message.readUInt32BE(4);
  numbers.set(number, (numbers.get(number) ?? 0) + 1);
});

/** Datagrams that reached a socket of this namespace and found its buffer full: not the network's loss. */
function overflows() {
  const lines = readFileSync("/proc/self/net/snmp", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("Udp:"));
  const [names, values] = lines.map((line) => line.split(" "));
  return Number(values[names.indexOf("RcvbufErrors")]);
}

function stream({ to, rate }) {
  const bytes = Buffer.alloc(200);
  bytes.writeUInt32BE(MARK, 0);
  const started = performance.now();
  timer = setInterval(() => {
    // As many as are due by now: a timer that comes late does not slow the stream down. No bursts above 50, though.
    const due = Math.min(((performance.now() - started) / 1000) * rate, sent + 50);
    for (; sent < due; sent++) {
      bytes.writeUInt32BE(sent, 4);
      socket.send(Buffer.from(bytes), ...to);
    }
  }, 1);
  return {};
}

async function sendAll({ send, to }) {
  for (const payload of send) {
    await new Promise((resolve, reject) => {
      socket.send(Buffer.from(payload, "base64"), ...to, (error) => (error ? reject(error) : resolve()));
    });
  }
  return {};
}

async function answer(message) {
  if (message.send) return sendAll(message);
  if (message.stream) return stream(message.stream);
  if (message.quiet) {
    clearInterval(timer);
    return { sent };
  }
  const times = [...numbers.values()];
  const duplicates = times.reduce((sum, n) => sum + n - 1, 0);
  return { texts, received: times.length, duplicates, overflows: overflows() };
}

socket.bind(Number(port), address, () => {
  createInterface({ input: process.stdin }).on("line", async (line) => {
    const reply = await answer(JSON.parse(line)).catch((error) => ({ error: String(error) }));
    process.stdout.write(`${JSON.stringify(reply)}\n`);
  });
});
