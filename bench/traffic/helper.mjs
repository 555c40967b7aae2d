/**
 * Makes and counts UDP traffic inside a namespace, told by lines of JSON on standard input; `client.mjs` talks to it.
 * Everything is synchronous: no event loop comes between a packet and its time.
 *
 *   { do: "receive", family, port }                              counts until the next line → { received, seconds }
 *   { do: "send", to, port, sizes, rate, seconds, flows }        → { sent, seconds }; rate null: as fast as it goes
 *   { do: "echo", family, port }                                 sends back what comes, until the next line
 *   { do: "ask", to, port, size, seconds }                       one request after the other → { nanoseconds: […], lost }
 *   { do: "stop" }                                               ends "receive" and "echo"
 */
import { readSync, writeSync } from "node:fs";
import { Incoming, Outgoing, open, ROWS, readable, shim, writable } from "./sockets.mjs";

const STDIN = 0;
/** Milliseconds between two looks at the clock when nothing is due: bursts at 300,000 a second are some 60 long. */
const NAP = 0.2;
/** Milliseconds after which an answer counts as lost. */
const LOST_AFTER = 200;

const napping = new Int32Array(new SharedArrayBuffer(4));
const chunk = Buffer.alloc(65_536);
let rest = "";

/** The next order; waits for it. @returns null at the end of input */
function order() {
  for (;;) {
    const end = rest.indexOf("\n");
    if (end >= 0) {
      const line = rest.slice(0, end);
      rest = rest.slice(end + 1);
      return JSON.parse(line);
    }
    readable([STDIN], -1);
    const n = readSync(STDIN, chunk);
    if (n === 0) return null;
    rest += chunk.toString("utf8", 0, n);
  }
}

function say(answer) {
  writeSync(1, `${JSON.stringify(answer)}\n`);
}

/** Milliseconds, with fractions. */
const now = () => performance.now();

function receive({ family, port }) {
  const fd = open(family, "", port);
  say({ ready: true });
  const table = new Incoming();
  let [received, first, last] = [0, 0, 0];
  for (;;) {
    const n = table.receive(fd);
    if (n > 0) {
      last = now();
      // Counted from the end of the first batch on: how long that one took to come, nobody knows.
      if (received === 0) first = last;
      received += n;
    }
    // A nap, so that a batch gathers: to wake up for every packet would measure this program and not the tunnel.
    if (n < ROWS) Atomics.wait(napping, 0, 0, NAP);
    if (n <= 0 && readable([fd, STDIN], -1)[1] && table.receive(fd) <= 0) break;
  }
  shim.close(fd);
  order();
  say({ received, seconds: (last - first) / 1000 });
}

/** The rate is kept on average: what a nap or a full socket delayed is made up for, in bursts of ROWS at most. */
function send({ to, port, sizes, rate, seconds, flows = 1 }) {
  const table = new Outgoing(to, port, sizes);
  const fds = Array.from({ length: flows }, () => open(to.includes(":") ? 6 : 4, "", 0));
  // With many sockets a call carries few datagrams, as it would with many programs.
  const burst = flows === 1 ? ROWS : 8;
  const start = now();
  let [sent, turn, failed] = [0, 0, 0];
  for (let time = 0; time < seconds * 1000; time = now() - start) {
    const due = rate === null ? burst : Math.floor((rate * time) / 1000) - sent;
    if (due < 1) {
      Atomics.wait(napping, 0, 0, NAP);
      continue;
    }
    const fd = fds[turn++ % flows];
    const n = table.send(fd, Math.min(due, burst));
    if (n > 0) sent += n;
    else if (n === 0) writable(fd, 10);
    // ENOBUFS and the like: a full queue says so on some devices; the next try may go through.
    else if (++failed > 1e6) throw new Error(`sendmmsg: errno ${-n}`);
  }
  const took = (now() - start) / 1000;
  for (const fd of fds) shim.close(fd);
  say({ sent, seconds: took });
}

function echo({ family, port }) {
  const fd = open(family, "", port);
  say({ ready: true });
  const table = new Incoming();
  for (;;) {
    const [ready, told] = readable([fd, STDIN], -1);
    if (ready && table.receive(fd, 1) === 1) table.answer(fd);
    if (told) break;
  }
  shim.close(fd);
  order();
  say({ stopped: true });
}

function ask({ to, port, size, seconds }) {
  const fd = open(to.includes(":") ? 6 : 4, "", 0);
  const out = new Outgoing(to, port, [size]);
  const back = new Incoming();
  const times = [];
  let lost = 0;
  const end = now() + seconds * 1000;
  while (now() < end) {
    const asked = process.hrtime.bigint();
    out.send(fd, 1);
    if (!readable([fd], LOST_AFTER)[0] || back.receive(fd, ROWS) !== 1) lost++;
    else times.push(Number(process.hrtime.bigint() - asked));
  }
  shim.close(fd);
  say({ nanoseconds: times, lost });
}

const ORDERS = { receive, send, echo, ask };
for (let next = order(); next !== null; next = order()) ORDERS[next.do](next);
