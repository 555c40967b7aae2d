import { afterEach, describe, expect, it } from "vitest";
import { Arena } from "../../../src/dataplane/arena.ts";
import {
  ADDRESS_BYTES,
  HEAD_LENGTH,
  HEAD_OFFSET,
  LENGTH,
  OFFSET,
  OUTER,
  type Ring,
  SEGMENT,
} from "../../../src/dataplane/ring.ts";
import { BatchUnderlay } from "../../../src/io/linux/batch.ts";
import { TRUNCATED, type UdpSocketOptions } from "../../../src/io/linux/shim.ts";
import { openUdp } from "../../../src/io/linux/udp.ts";
import { loopbackSlab, makeRing, pattern, pushPayload, slotsIntact, udpOptions } from "./sockets.ts";

const EBADF = 9;
const EINVAL = 22;
const ENOTSOCK = 88;
const EMSGSIZE = 90;
const open: BatchUnderlay[] = [];

afterEach(() => {
  for (const underlay of open.splice(0)) underlay.close();
});

/** A sender and a receiver on loopback, each with a ring, and the slab that names the receiver in row 0. */
function makePair(options: Partial<UdpSocketOptions> = {}, slotSize = 2048) {
  const family = options.family ?? 4;
  const [from, to] = [openUdp(udpOptions(options)), openUdp(udpOptions(options))];
  const [sender, receiver] = [from, to].map(
    (socket) => new BatchUnderlay(socket, { family, checksum: "computed" }),
  );
  open.push(sender!, receiver!);
  const arena = new Arena(2 * 128 * (slotSize + 64));
  return {
    sender: sender!,
    receiver: receiver!,
    out: makeRing(arena, 128, slotSize),
    inn: makeRing(arena, 128, slotSize),
    slab: loopbackSlab(family, [to.port]),
    ports: [from.port, to.port] as const,
  };
}

/** The payload of the row at position `i` after the tail. */
function payload(ring: Ring, i: number): Uint8Array {
  const at = ring.row(ring.tail + i);
  const offset = ring.words[at + OFFSET]!;
  return ring.bytes.slice(offset, offset + ring.words[at + LENGTH]!);
}

function word(ring: Ring, i: number, which: number): number {
  return ring.words[ring.row(ring.tail + i) + which]!;
}

describe.each([4, 6] as const)("the batch underlay over IPv%d", (family) => {
  it("moves more datagrams than one chunk, in order, and says who sent them", () => {
    const { sender, receiver, out, inn, slab, ports } = makePair({ family });
    for (let i = 0; i < 100; i++) pushPayload(out, pattern(20 + i * 11, i));
    expect(sender.sendBatch(out, slab)).toBe(100);
    expect(out.length).toBe(0);
    expect(receiver.recvBatch(inn, 128)).toBe(100);
    expect(inn.length).toBe(100);
    for (let i = 0; i < 100; i++) {
      expect(payload(inn, i)).toEqual(pattern(20 + i * 11, i));
      const from = inn.addresses
        .subarray((inn.row(i) / 8) * ADDRESS_BYTES)
        .subarray(0, family === 4 ? 16 : 28);
      expect(from).toEqual(loopbackSlab(family, [ports[0]]).subarray(0, from.length));
    }
    inn.complete(100);
    expect([slotsIntact(out), slotsIntact(inn)]).toEqual([true, true]);
  });

  it("carries the traffic class both ways, ECN bits included", () => {
    const { sender, receiver, out, inn, slab } = makePair({ family });
    const classes = [0, 1, 2, 3, 0x28, 0xb8, 0xff];
    for (const tos of classes) pushPayload(out, pattern(50, tos), { tos });
    expect(sender.sendBatch(out, slab)).toBe(classes.length);
    expect(receiver.recvBatch(inn, 16)).toBe(classes.length);
    expect(classes.map((_, i) => word(inn, i, OUTER))).toEqual(classes);
  });

  it("sends each datagram to the row of the slab that it names", () => {
    const a = makePair({ family });
    const b = makePair({ family });
    const slab = loopbackSlab(family, [a.ports[1], b.ports[1]]);
    for (const peer of [1, 0, 1, 1]) pushPayload(a.out, pattern(30, peer), { peer });
    expect(a.sender.sendBatch(a.out, slab)).toBe(4);
    expect(a.receiver.recvBatch(a.inn, 8)).toBe(1);
    expect(b.receiver.recvBatch(b.inn, 8)).toBe(3);
  });

  it("cuts a GSO send into segments, and a GRO receive joins them again", () => {
    const { sender, receiver, out, inn, slab } = makePair({ family, gro: true }, 65536);
    expect(receiver.capabilities.gro).toBe(true);
    pushPayload(out, pattern(10_500, 1), { segment: 1000, tos: 0xb9 });
    pushPayload(out, pattern(700, 2));
    expect(sender.sendBatch(out, slab)).toBe(2);
    expect(receiver.recvBatch(inn, 16)).toBe(2);
    expect(payload(inn, 0)).toEqual(pattern(10_500, 1));
    expect([word(inn, 0, SEGMENT), word(inn, 1, SEGMENT)]).toEqual([1000, 0]);
    expect([word(inn, 0, OUTER), word(inn, 1, OUTER)]).toEqual([0xb9, 0]);
  });

  it("receives the segments one by one where GRO is off", () => {
    const { sender, receiver, out, inn, slab } = makePair({ family }, 65536);
    pushPayload(out, pattern(2_500, 1), { segment: 1000 });
    expect(sender.sendBatch(out, slab)).toBe(1);
    expect(receiver.recvBatch(inn, 16)).toBe(3);
    expect([0, 1, 2].map((i) => word(inn, i, LENGTH))).toEqual([1000, 1000, 500]);
    expect([0, 1, 2].map((i) => word(inn, i, SEGMENT))).toEqual([0, 0, 0]);
  });
});

describe("the batch underlay", () => {
  it("joins head and body, wherever they lie", () => {
    const { sender, receiver, out, inn, slab } = makePair();
    const at = pushPayload(out, pattern(60, 9));
    out.words[at + HEAD_OFFSET] = out.words[at + OFFSET]! + 40;
    out.words[at + HEAD_LENGTH] = 8;
    expect(sender.sendBatch(out, slab)).toBe(1);
    expect(receiver.recvBatch(inn, 1)).toBe(1);
    const whole = pattern(60, 9);
    expect(payload(inn, 0)).toEqual(Uint8Array.from([...whole.subarray(40, 48), ...whole]));
  });

  it("returns 0, and gives every slot back, when there is nothing", () => {
    const { sender, receiver, out, inn, slab } = makePair();
    expect(receiver.recvBatch(inn, 64)).toBe(0);
    expect(sender.sendBatch(out, slab)).toBe(0);
    expect(inn.length).toBe(0);
    expect(slotsIntact(inn)).toBe(true);
  });

  it("receives no more than the ring has room for; the rest waits in the kernel", () => {
    const { sender, receiver, out, inn, slab } = makePair();
    for (let i = 0; i < 128; i++) pushPayload(out, pattern(10, i));
    expect(sender.sendBatch(out, slab)).toBe(128);
    expect(receiver.recvBatch(inn, 100)).toBe(100);
    expect(receiver.recvBatch(inn, 100)).toBe(28);
    expect(receiver.recvBatch(inn, 100)).toBe(0);
    expect(payload(inn, 127)).toEqual(pattern(10, 127));
  });

  it("goes on across the end of the ring and across 2^31", () => {
    const { sender, receiver, out, inn, slab } = makePair();
    for (const ring of [out, inn]) ring.head = ring.tail = 0x7fffffff - 40;
    for (let i = 0; i < 90; i++) pushPayload(out, pattern(33, i));
    expect(sender.sendBatch(out, slab)).toBe(90);
    expect(receiver.recvBatch(inn, 128)).toBe(90);
    for (let i = 0; i < 90; i++) expect(payload(inn, i)).toEqual(pattern(33, i));
  });

  it("stops before a datagram that the kernel refuses, and says why when it is the oldest", () => {
    const { sender, receiver, out, inn, slab } = makePair({}, 70_000);
    pushPayload(out, pattern(40, 1));
    pushPayload(out, pattern(65_508, 2)); // one more than UDP over IPv4 carries
    pushPayload(out, pattern(40, 3));
    expect(sender.sendBatch(out, slab)).toBe(1);
    expect(sender.sendBatch(out, slab)).toBe(-EMSGSIZE);
    expect(out.length).toBe(2);
    out.complete(1);
    expect(sender.sendBatch(out, slab)).toBe(1);
    expect(receiver.recvBatch(inn, 8)).toBe(2);
    expect(payload(inn, 1)).toEqual(pattern(40, 3));
  });

  it("marks a datagram that was longer than its slot", () => {
    const { sender, receiver, out, slab } = makePair();
    const small = makeRing(new Arena(1024), 4, 128);
    pushPayload(out, pattern(500, 1), { tos: 0xb8 });
    pushPayload(out, pattern(100, 2));
    expect(sender.sendBatch(out, slab)).toBe(2);
    expect(receiver.recvBatch(small, 4)).toBe(2);
    expect([word(small, 0, OUTER), word(small, 1, OUTER)]).toEqual([TRUNCATED | 0xb8, 0]);
    expect(payload(small, 0)).toEqual(pattern(500, 1).subarray(0, 120));
  });

  it("counts what the kernel dropped because the receive buffer was full", () => {
    const { sender, receiver, out, inn, slab } = makePair({ receiveBuffer: 4096 });
    let sent = 0;
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 64; i++) pushPayload(out, pattern(1000, i));
      sent += sender.sendBatch(out, slab);
    }
    const before = receiver.recvBatch(inn, 128);
    expect(before).toBeGreaterThan(0);
    pushPayload(out, pattern(10, 0)); // the count comes with the next datagram that fits
    expect(sender.sendBatch(out, slab)).toBe(1);
    expect(receiver.recvBatch(inn, 128)).toBe(1);
    expect(receiver.overflows()).toBe(sent - before);
    expect(receiver.overflows()).toBe(sent - before);
  });

  it("sends with a zero checksum, which excludes segments", () => {
    const { sender, receiver, out, inn, slab } = makePair({ noCheck: true });
    pushPayload(out, pattern(40, 1));
    pushPayload(out, pattern(900, 2), { segment: 300 });
    expect(sender.sendBatch(out, slab)).toBe(1);
    expect(sender.sendBatch(out, slab)).toBe(-EINVAL);
    expect(receiver.recvBatch(inn, 8)).toBe(1);
  });

  it("can be closed twice, and holds nothing afterwards", () => {
    const { sender, out, slab } = makePair();
    pushPayload(out, pattern(40, 1));
    sender.close();
    sender.close();
    expect([-EBADF, -ENOTSOCK]).toContain(sender.sendBatch(out, slab));
  });
});
