/**
 * How an underlay carries datagrams: whole, in order, and with what their rows ask for.
 *
 * What a port declares it cannot do it must really not do: an OUTER word that asks for a TOS or a source port changes
 * nothing then, and the "witness", an underlay that knows TOS, looks.
 */
import { expect, it } from "vitest";
import { VXLAN_AT } from "../../src/dataplane/arena.ts";
import {
  DONT_FRAGMENT,
  LENGTH,
  OFFSET,
  SEGMENT,
  SLOT,
  TRUNCATED,
  TTL_SHIFT,
} from "../../src/dataplane/ring.ts";
import { packet, type Read, serialOf } from "../io/side.ts";
import { damaged, Node, turn } from "./node.ts";
import type { Opener } from "./underlay-opener.ts";

const SIZES = [0, 1, 8, 50, 1472, 9_000, 65_000];
const TOS = [0, 1, 2, 3, 0x28, 0xb8, 0xff];

export function carryContract(opener: Opener): void {
  it("says what it is and what it can do", async () => {
    const { underlay } = await opener.open();
    expect([underlay.kind, underlay.family]).toEqual([opener.subject.kind, opener.subject.family]);
    const { checksum, ...can } = underlay.capabilities;
    expect(["computed", "zero"]).toContain(checksum);
    const names = [
      ...["acceptsNoCheck6", "df", "flowLabel", "gro", "gso", "recvTos", "sendTos", "sourcePort"],
      ...["ttl", "ttlPerPacket"],
    ];
    expect(Object.keys(can).sort()).toEqual(names);
    expect(Object.values(can).every((value) => typeof value === "boolean")).toBe(true);
    expect(underlay.overflows()).toBe(0);
  });

  it("sends to the VTEP that a row names, whatever TTL and DF it asks for", async () => {
    const { from, to, slab } = await opener.pair();
    const sent = [0, 1, 64, 127, 128, 255].map((ttl, i) => {
      const bytes = packet(i, 100);
      from.side.put(bytes, { peer: ttl << TTL_SHIFT, outer: i % 2 === 0 ? 0 : DONT_FRAGMENT });
      return bytes;
    });
    await from.sendAll(slab);
    expect(damaged(await to.receive(sent.length), sent)).toEqual([]);
    from.side.put(packet(9), { peer: (200 << TTL_SHIFT) | 1 }); // a row without an address
    const nobody = new Uint8Array(2 * slab.length);
    expect(from.underlay.sendBatch(from.side.ready, nobody)).toBeLessThan(0);
  });

  it("carries datagrams of every size whole, at slot + 8, head and body joined", async () => {
    const { from, to, slab } = await opener.pair(16, 65_600);
    to.side.filled.bytes.fill(0xa5);
    for (const head of [0, 1, 8, 64]) {
      const sent = SIZES.filter((size) => size >= head).map((size, i) => packet(i, size));
      for (const bytes of sent) from.side.put(bytes, { head });
      await from.sendAll(slab);
      expect(damaged(await to.receive(sent.length), sent)).toEqual([]);
    }
    expect([from.side.inUse, to.side.inUse]).toEqual([0, 0]);
  });

  it("fills in the whole row of what it receives", async () => {
    const { from, to, slab } = await opener.pair();
    to.side.filled.words.fill(-1);
    from.side.put(packet(7, 77));
    await from.sendAll(slab);
    const { filled } = to.side;
    while (to.underlay.recvBatch(filled, 8) === 0) await turn();
    const [slot, offset, length, segment] = [SLOT, OFFSET, LENGTH, SEGMENT].map((word) => filled.words[word]);
    expect([offset! - slot!, length, segment]).toEqual([VXLAN_AT, 77, 0]);
    expect(filled.words[SLOT + 2]).toBe(0); // no head
  });

  it("takes the bytes over: the slot may be filled anew at once", async () => {
    const { from, to, slab } = await opener.pair();
    for (let i = 0; i < 20; i++) from.side.put(packet(i, 500));
    expect(from.underlay.sendBatch(from.side.ready, slab)).toBe(20);
    from.side.ready.bytes.fill(0xff);
    const sent = Array.from({ length: 20 }, (_, i) => packet(i, 500));
    expect(damaged(await to.receive(20), sent)).toEqual([]);
  });

  it("sends no more rows than it is told to", async () => {
    const { from, to, slab } = await opener.pair();
    const sent = [0, 1, 2, 3, 4].map((i) => packet(i, 100));
    for (const one of sent) from.side.put(one);
    expect(from.underlay.sendBatch(from.side.ready, slab, 3)).toBe(3);
    expect(from.side.ready.length).toBe(2);
    expect(damaged(await to.receive(3), sent.slice(0, 3))).toEqual([]);
    expect(from.underlay.sendBatch(from.side.ready, slab)).toBe(2);
    expect(damaged(await to.receive(2), sent.slice(3))).toEqual([]);
  });

  it("says who sent it, and from which port", async () => {
    const { from, to, slab } = await opener.pair();
    const other = new Node(await opener.open());
    for (const node of [from, other, from]) {
      node.side.put(packet(1));
      await node.sendAll(slab);
      const [read] = await to.receive(1);
      expect([read!.from, read!.port]).toEqual([node.sockaddr, node.port]);
    }
  });

  it("sends each datagram to the row that it names, also after that row has changed", async () => {
    const { from, to } = await opener.pair();
    const other = new Node(await opener.open());
    const slab = new Uint8Array(3 * 28);
    slab.set(to.sockaddr, 28);
    slab.set(other.sockaddr, 56);
    for (const [i, peer] of [1, 2, 2, 1, 2].entries()) from.side.put(packet(i), { peer });
    await from.sendAll(slab);
    expect((await to.receive(2)).map(({ bytes }) => serialOf(bytes))).toEqual([0, 3]);
    expect((await other.receive(3)).map(({ bytes }) => serialOf(bytes))).toEqual([1, 2, 4]);
    slab.set(other.sockaddr, 28);
    from.side.put(packet(9), { peer: 1 });
    await from.sendAll(slab);
    expect((await other.receive(1)).map(({ bytes }) => serialOf(bytes))).toEqual([9]);
    expect(await to.silent()).toBe(true);
  });

  it("keeps the order of a thousand datagrams, in batches, across the ring's end and 2^31", async () => {
    const { from, to, slab } = await opener.pair();
    for (const { side } of [from, to]) {
      for (const ring of [side.ready, side.filled]) ring.head = ring.tail = 0x7fffffff - 500;
    }
    const sent = Array.from({ length: 1000 }, (_, i) => packet(i, 20 + i));
    const got: Read[] = [];
    for (let next = 0; next < 1000; ) {
      while (next < 1000 && from.side.ready.room > 0) from.side.put(sent[next++]!);
      const count = from.side.ready.length;
      await from.sendAll(slab);
      got.push(...(await to.receive(count, 1 + (next % 50))));
    }
    expect(damaged(got, sent)).toEqual([]);
    expect([from.side.inUse, to.side.inUse]).toEqual([0, 0]);
  });

  it("marks a datagram that is longer than its slot, and keeps the next one apart", async () => {
    const { from, slab } = await opener.pair();
    const receiver = opener.opened[0]!;
    const small = new Node(receiver, 8, 128);
    from.side.put(packet(1, 500));
    from.side.put(packet(2, 100));
    await from.sendAll(slab);
    const [first, second] = await small.receive(2);
    expect([first!.bytes, first!.outer & TRUNCATED]).toEqual([packet(1, 500).subarray(0, 120), TRUNCATED]);
    expect([second!.bytes, second!.outer & TRUNCATED]).toEqual([packet(2, 100), 0]);
  });

  it("carries TOS exactly where it says so", async () => {
    const node = new Node(await opener.open());
    const witness = new Node(await opener.witness());
    for (const [from, to] of [
      [node, witness],
      [witness, node],
    ] as const) {
      for (const tos of TOS) from.side.put(packet(tos), { outer: tos });
      await from.sendAll(to.sockaddr);
      const carried = from.underlay.capabilities.sendTos && to.underlay.capabilities.recvTos;
      expect((await to.receive(TOS.length)).map(({ tos }) => tos)).toEqual(carried ? TOS : TOS.map(() => 0));
    }
  });

  it("sends from the source port that is asked for exactly where it says so", async () => {
    const { from, to, slab } = await opener.pair();
    const ports = [0, 49_152, 65_535, 0];
    for (const port of ports) from.side.put(packet(port), { outer: port << 16 });
    await from.sendAll(slab);
    const { sourcePort } = from.underlay.capabilities;
    expect((await to.receive(ports.length)).map(({ port }) => port)).toEqual(
      ports.map((port) => (sourcePort && port) || from.port),
    );
  });
}
