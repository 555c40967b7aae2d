/** Messages of several rows: one send on a socket, with its fallback; and the pool of sockets that they leave by. */
import { afterEach, describe, expect, it } from "vitest";
import { linkMessages } from "../../../src/dataplane/messages.ts";
import { OUTER } from "../../../src/dataplane/ring.ts";
import { BatchUnderlay } from "../../../src/io/linux/batch.ts";
import { openSenders } from "../../../src/io/linux/senders.ts";
import { loadShim, type UdpSocket } from "../../../src/io/linux/shim.ts";
import { openUdp } from "../../../src/io/linux/udp.ts";
import { damaged, Node, slabOf } from "../../contract/node.ts";
import { packet } from "../side.ts";
import { udpOptions } from "./sockets.ts";

const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const RANGE = { first: 50_000, last: 50_999 };
const toClose: { close(): void }[] = [];

afterEach(() => {
  for (const one of toClose.splice(0)) one.close();
});

function keep(sockets: readonly UdpSocket[]): readonly UdpSocket[] {
  toClose.push({ close: () => sockets.forEach(({ fd }) => void loadShim().close(fd)) });
  return sockets;
}

/** A sender of messages and a receiver without GRO, so that what comes are the datagrams of the wire. */
function makePair(slots = 256, senders: readonly UdpSocket[] = []) {
  const [from, to] = [true, false].map((gso) => {
    const socket = openUdp(udpOptions({ receiveBuffer: 8 << 20 }));
    const underlay = new BatchUnderlay(socket, {
      family: 4,
      checksum: "computed",
      gso,
      senders: gso ? senders : [],
    });
    toClose.push(underlay);
    return new Node({ underlay, address: LOOPBACK, port: socket.port }, slots, 2048, slots);
  });
  const slab = slabOf({ address: LOOPBACK, port: to!.port });
  return { from: from!, to: to!, slab, underlay: from!.underlay as BatchUnderlay };
}

describe("a message of several rows", () => {
  it("leaves in one send and arrives as the datagrams that its rows are", async () => {
    const { from, to, slab, underlay } = makePair();
    const sent = [...Array.from({ length: 40 }, (_, i) => packet(i, 900)), packet(40, 30), packet(41, 900)];
    for (const bytes of sent) from.side.put(bytes, { head: 70 > bytes.length ? 0 : 70 });
    linkMessages(from.side.ready, 0);
    expect(from.side.ready.oldest).toBe(41);
    expect(underlay.sendBatch(from.side.ready, slab)).toBe(42);
    expect(damaged(await to.receive(42), sent)).toEqual([]);
    expect([from.side.inUse, underlay.gsoFallbacks]).toEqual([0, 0]);
  });

  it("leaves again row by row where the kernel refuses it, and nothing is lost or repeated", async () => {
    const { from, to, slab, underlay } = makePair();
    // More datagrams than any kernel cuts a send into: EINVAL.
    const sent = Array.from({ length: 200 }, (_, i) => packet(i, 300));
    for (const bytes of sent) from.side.put(bytes);
    from.side.ready.words[from.side.ready.row(0) + 7] = 300 | (199 << 16);
    let rows = 0;
    while (from.side.ready.length > 0) rows += underlay.sendBatch(from.side.ready, slab);
    expect(rows).toBe(200);
    expect(damaged(await to.receive(200), sent)).toEqual([]);
    expect(underlay.gsoFallbacks).toBe(1);
    expect([underlay.capabilities.gso, underlay.gsoRefused]).toEqual([true, undefined]);
  });

  it("is refused datagram by datagram where each is refused, and GSO gets no blame", () => {
    const { from, underlay } = makePair();
    for (let n = 0; n < 3; n++) from.side.put(packet(n, 300));
    linkMessages(from.side.ready, 0);
    const nobody = new Uint8Array(28); // the row of a VTEP that has gone
    for (let left = 3; left > 0; left--) {
      expect(underlay.sendBatch(from.side.ready, nobody)).toBe(-22);
      expect(from.side.ready.oldest).toBe(1);
      from.side.ready.complete(1);
    }
    expect([underlay.gsoFallbacks, underlay.capabilities.gso, from.side.inUse]).toEqual([0, true, 0]);
  });

  it("is tried again for the next one, however often the kernel refuses what is too large or too many", () => {
    const { from, slab, underlay } = makePair();
    for (let i = 0; i < 20; i++) {
      for (let n = 0; n < 200; n++) from.side.put(packet(n, 40));
      const { ready } = from.side;
      ready.words[ready.row(ready.tail) + 7] = 40 | (199 << 16);
      expect(underlay.sendBatch(ready, slab)).toBe(200);
    }
    expect(underlay.gsoFallbacks).toBe(20);
    expect([underlay.capabilities.gso, underlay.gsoRefused]).toEqual([true, undefined]);
  });
});

describe("the transmit sockets", () => {
  it("are bound to different ports of the range, also where somebody has some of them", () => {
    const sockets = keep(openSenders(udpOptions(), RANGE, 16));
    const ports = new Set(sockets.map(({ port }) => port));
    expect(ports.size).toBe(16);
    for (const port of ports) expect(port >= RANGE.first && port <= RANGE.last).toBe(true);
    const [taken] = [...ports];
    // The sixteen may stand side by side: then one of these is free.
    const narrow = { first: taken!, last: taken! + 16 };
    const others = keep(openSenders(udpOptions(), narrow, 17));
    expect(others.length).toBeLessThan(17);
    for (const { port } of others) expect(ports.has(port)).toBe(false);
  });

  it("say what is wrong when no port of the range is free", () => {
    const [one] = keep(openSenders(udpOptions(), RANGE, 1));
    const full = { first: one!.port, last: one!.port };
    expect(() => openSenders(udpOptions(), full, 4)).toThrow(/is taken/);
  });

  it("send what asks for their port, and throw away what comes to them", async () => {
    const sockets = keep(openSenders(udpOptions(), RANGE, 4));
    const { from, to, slab, underlay } = makePair(64, sockets);
    expect([...underlay.sourcePorts]).toEqual(sockets.map(({ port }) => port));
    expect(underlay.capabilities.sourcePort).toBe(true);
    const wanted = [0, 1, 1, 2, 3, 0].map((i) => sockets[i]!.port);
    wanted.push(from.port);
    wanted.forEach((port, i) => {
      from.side.put(packet(i), { outer: port === from.port ? 0 : port << 16 });
    });
    linkMessages(from.side.ready, 0);
    await from.sendAll(slab);
    expect((await to.receive(wanted.length)).map(({ port }) => port)).toEqual(wanted);

    const back = slabOf({ address: LOOPBACK, port: sockets[0]!.port });
    to.side.put(packet(1));
    await to.sendAll(back);
    const words = new Int32Array(8);
    words.set([0, 0, 0, 0, 2000]);
    const none = loadShim().recvBatch(
      sockets[0]!.fd,
      new Uint8Array(2000),
      words,
      0,
      0,
      1,
      new Uint8Array(28),
    );
    expect(none).toBe(0);
    expect(words[OUTER]).toBe(0);
  });
});
