// The server in a pod: swallows and gives TCP streams, remembers UDP datagrams, and answers what it got.
//
//   TCP 21000   takes a stream to its end; answers with its digest, then a stream of as many bytes of its own, then
//              the digest of those
//   UDP 21000   takes datagrams
//   TCP 21001   a line {"port", "count", "wait"}: which datagrams came from that port. Answers when there are `count`
//              of them or `wait` milliseconds have passed, with a line [[bytes, digest, tos], …], and forgets them
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:net";
import { Datagrams } from "./datagrams.mjs";
import { CHUNK, DATA_PORT, digestOf, REPORT_PORT } from "./protocol.mjs";

/** Datagrams that nobody has asked for yet, by their source port. */
const arrived = new Map();
/** Called whenever a datagram arrives. */
const waiting = new Set();

for (const family of [4, 6]) {
  new Datagrams(family, DATA_PORT).receive((payload, tos, port) => {
    if (!arrived.has(port)) arrived.set(port, []);
    arrived.get(port).push([payload.length, digestOf(payload), tos]);
    for (const look of waiting) look();
  });
}

function report(request, answer) {
  const { port, count, wait } = JSON.parse(request);
  const finish = () => {
    clearTimeout(timer);
    waiting.delete(look);
    answer(`${JSON.stringify(arrived.get(port) ?? [])}\n`);
    arrived.delete(port);
  };
  const look = () => {
    if ((arrived.get(port)?.length ?? 0) >= count) finish();
  };
  const timer = setTimeout(finish, wait);
  waiting.add(look);
  look();
}

function give(socket, bytes) {
  const own = createHash("sha256");
  let left = bytes;
  const more = () => {
    while (left > 0) {
      const chunk = randomBytes(Math.min(CHUNK, left));
      left -= chunk.length;
      own.update(chunk);
      if (!socket.write(chunk) && left > 0) return socket.once("drain", more);
    }
    socket.end(own.digest());
  };
  more();
}

const data = createServer({ allowHalfOpen: true }, (socket) => {
  const theirs = createHash("sha256");
  let bytes = 0;
  socket.on("data", (chunk) => {
    theirs.update(chunk);
    bytes += chunk.length;
  });
  socket.on("end", () => {
    socket.write(theirs.digest());
    give(socket, bytes);
  });
  socket.on("error", (error) => console.error(`stream: ${error.message}`));
});

const reports = createServer((socket) => {
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
    const lines = text.split("\n");
    text = lines.pop();
    for (const line of lines) report(line, (answer) => socket.write(answer));
  });
  socket.on("error", (error) => console.error(`reports: ${error.message}`));
});

data.listen(DATA_PORT, "::", () => reports.listen(REPORT_PORT, "::", () => console.log("ready")));
