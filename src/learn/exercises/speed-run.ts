/**
 * Sends the same frames in several ways over the loopback, each for a while, and prints a line of JSON: packets per second
 * by the name of the way. The receiver never reads: what it costs to send is measured.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { VXLAN_AT } from "../../dataplane/arena.ts";
import { LENGTH, OFFSET, PEER } from "../../dataplane/ring.ts";
import { ADDRESS_BYTES, writeSockaddr } from "../../fdb/sockaddr.ts";
import { BatchUnderlay } from "../../io/linux/batch.ts";
import { loadShim } from "../../io/linux/shim.ts";
import { openUdp } from "../../io/linux/udp.ts";
import { packetQueue } from "../../io/memory/queue.ts";
import { VXLAN_LENGTH, writeVxlanHeader } from "../../wire/index.ts";
import type { Way } from "./speed.ts";

/** Bytes of a frame: a full one. */
const FRAME = 1464;
/** Packets between two looks at the clock, and milliseconds for each round; rounds take turns, as machines have moods. */
const BURST = 64;
const ROUND = 150;
const ROUNDS = 4;
const VNI = 1;

const HOME = Uint8Array.of(127, 0, 0, 1);
const sink = createSocket("udp4");
sink.bind(0, "127.0.0.1");
await once(sink, "listening");
const { port } = sink.address();
const socket = createSocket("udp4");
socket.connect(port, "127.0.0.1");
await once(socket, "connect");

/** As a TAP would give them: with room for a header before each. */
const memory = new Uint8Array(BURST * 2048);
const header = new Uint8Array(VXLAN_LENGTH);
writeVxlanHeader(header, 0, VNI);

/** Sends a burst of what `packet` makes, each by a call of its own. */
function each(packet: (at: number) => Uint8Array): () => Promise<void> {
  return () =>
    new Promise((resolve) => {
      for (let i = 1; i < BURST; i++) socket.send(packet(i * 2048));
      socket.send(packet(0), () => resolve());
    });
}

const copies = new Uint8Array(BURST * 2048);
const ring = packetQueue(BURST, 2048);
const ways: Readonly<Record<Way, () => Promise<void> | void>> = {
  concat: each((at) =>
    Buffer.concat([header, memory.subarray(at + VXLAN_LENGTH, at + VXLAN_LENGTH + FRAME)]),
  ),
  pool: each((at) => {
    copies.set(header, at);
    copies.set(memory.subarray(at + VXLAN_LENGTH, at + VXLAN_LENGTH + FRAME), at + VXLAN_LENGTH);
    return copies.subarray(at, at + VXLAN_LENGTH + FRAME);
  }),
  room: each((at) => {
    writeVxlanHeader(memory, at, VNI);
    return memory.subarray(at, at + VXLAN_LENGTH + FRAME);
  }),
  batch: batch(),
};

function batch(): () => void {
  const udp = openUdp({
    ...{ family: 4, address: "127.0.0.1", port: 0, receiveBuffer: 1 << 20, sendBuffer: 1 << 20, gro: false },
    ...{ reusePort: false, noCheck: false, dontFragment: false, ttl: 0 },
  });
  const underlay = new BatchUnderlay(udp, { family: 4, checksum: "computed" });
  process.once("exit", () => loadShim().close(udp.fd));
  const addresses = new Uint8Array(ADDRESS_BYTES);
  writeSockaddr(addresses, 0, HOME, port);
  return () => {
    const count = ring.prepare(BURST, VXLAN_AT);
    for (let i = 0; i < count; i++) {
      const row = ring.row(ring.head + i);
      writeVxlanHeader(ring.bytes, ring.words[row + OFFSET]!, VNI);
      ring.words[row + LENGTH] = VXLAN_LENGTH + FRAME;
      ring.words[row + PEER] = 0;
    }
    ring.publish(count, count);
    while (ring.length > 0 && underlay.sendBatch(ring, addresses) >= 0);
  };
}

async function round(send: () => Promise<void> | void): Promise<number> {
  const start = performance.now();
  let bursts = 0;
  do {
    await send();
    bursts++;
  } while (performance.now() - start < ROUND);
  return (bursts * BURST * 1000) / (performance.now() - start);
}

const best: Record<string, number> = {};
for (let i = 0; i < ROUNDS; i++) {
  for (const [way, send] of Object.entries(ways)) best[way] = Math.max(best[way] ?? 0, await round(send));
}
process.stdout.write(`${JSON.stringify(best)}\n`, () => process.exit(0));
