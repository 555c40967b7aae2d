/**
 * What every underlay must do, whoever moves the bytes. `underlay.test.ts` runs it over all of them.
 *
 * What a port declares it cannot do it must really not do: an OUTER word that asks for a TOS or a source port changes
 * nothing then, and the "witness", an underlay that knows TOS, looks.
 */
import { afterEach, describe, expect, it } from "vitest";
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
import { damaged, Node, type Opened, pause, slabOf, turn, Wakes } from "./node.ts";

export interface Subject {
  readonly kind: string;
  readonly family: 4 | 6;
  /** Opens one on its own address; a port of 0 is any that is free. */
  open(port: number): Promise<Opened> | Opened;
  /** Opens one that reaches the others, sends any TOS, and knows what it receives. */
  witness(): Promise<Opened> | Opened;
  /** How many small datagrams are taken at once, if that is fewer than 600. */
  readonly taken?: number;
  /** An address that the kernel refuses to send to. */
  readonly refused?: Uint8Array;
}

const SIZES = [0, 1, 8, 50, 1472, 9_000, 65_000];
const TOS = [0, 1, 2, 3, 0x28, 0xb8, 0xff];
const EBADF = 9;
/** Largest UDP payload over IPv6; over IPv4 it is less. */
const LARGEST = 65_527;

export function underlayContract(title: string, subject: Subject): void {
  const open: Opened[] = [];

  afterEach(async () => {
    for (const { underlay } of open.splice(0)) underlay.close();
    await turn();
  });

  async function keep(opened: Promise<Opened> | Opened): Promise<Opened> {
    open.push(await opened);
    return opened;
  }

  /** Two of them, and the slab whose row 0 is the receiver. */
  async function pair(slots = 64, slotBytes = 2048, rows = slots) {
    const to = await keep(subject.open(0));
    const from = new Node(await keep(subject.open(0)), slots, slotBytes, rows);
    return { from, to: new Node(to, slots, slotBytes, rows), slab: slabOf(to) };
  }

  describe(title, () => {
    it("says what it is and what it can do", async () => {
      const { underlay } = await keep(subject.open(0));
      expect([underlay.kind, underlay.family]).toEqual([subject.kind, subject.family]);
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
      const { from, to, slab } = await pair();
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
      const { from, to, slab } = await pair(16, 65_600);
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
      const { from, to, slab } = await pair();
      to.side.filled.words.fill(-1);
      from.side.put(packet(7, 77));
      await from.sendAll(slab);
      const { filled } = to.side;
      while (to.underlay.recvBatch(filled, 8) === 0) await turn();
      const [slot, offset, length, segment] = [SLOT, OFFSET, LENGTH, SEGMENT].map(
        (word) => filled.words[word],
      );
      expect([offset! - slot!, length, segment]).toEqual([VXLAN_AT, 77, 0]);
      expect(filled.words[SLOT + 2]).toBe(0); // no head
    });

    it("takes the bytes over: the slot may be filled anew at once", async () => {
      const { from, to, slab } = await pair();
      for (let i = 0; i < 20; i++) from.side.put(packet(i, 500));
      expect(from.underlay.sendBatch(from.side.ready, slab)).toBe(20);
      from.side.ready.bytes.fill(0xff);
      const sent = Array.from({ length: 20 }, (_, i) => packet(i, 500));
      expect(damaged(await to.receive(20), sent)).toEqual([]);
    });

    it("sends no more rows than it is told to", async () => {
      const { from, to, slab } = await pair();
      const sent = [0, 1, 2, 3, 4].map((i) => packet(i, 100));
      for (const one of sent) from.side.put(one);
      expect(from.underlay.sendBatch(from.side.ready, slab, 3)).toBe(3);
      expect(from.side.ready.length).toBe(2);
      expect(damaged(await to.receive(3), sent.slice(0, 3))).toEqual([]);
      expect(from.underlay.sendBatch(from.side.ready, slab)).toBe(2);
      expect(damaged(await to.receive(2), sent.slice(3))).toEqual([]);
    });

    it("says who sent it, and from which port", async () => {
      const { from, to, slab } = await pair();
      const other = new Node(await keep(subject.open(0)));
      for (const node of [from, other, from]) {
        node.side.put(packet(1));
        await node.sendAll(slab);
        const [read] = await to.receive(1);
        expect([read!.from, read!.port]).toEqual([node.sockaddr, node.port]);
      }
    });

    it("sends each datagram to the row that it names, also after that row has changed", async () => {
      const { from, to } = await pair();
      const other = new Node(await keep(subject.open(0)));
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
      const { from, to, slab } = await pair();
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

    it("takes what it can; the rest stays in the ring until it is woken, and nothing is lost or sent twice", async () => {
      const { from, to, slab } = await pair(600, 256);
      for (let i = 0; i < 600; i++) from.side.put(packet(i));
      const { ready } = from.side;
      const taken = from.underlay.sendBatch(ready, slab);
      expect(taken).toBe(subject.taken ?? 600);
      expect([ready.length, from.side.inUse]).toEqual([600 - taken, 600 - taken]);
      if (taken < 600) expect(from.underlay.sendBatch(ready, slab)).toBe(0);
      const wakes = new Wakes();
      from.underlay.setWake(() => {
        wakes.wake();
        from.underlay.sendBatch(ready, slab);
        from.underlay.setInterest(false, ready.length > 0);
      });
      from.underlay.setInterest(false, ready.length > 0);
      const got = (await to.receive(600)).map(({ bytes }) => serialOf(bytes));
      expect(got).toEqual(Array.from({ length: 600 }, (_, i) => i));
      expect(from.side.inUse).toBe(0);
      expect(wakes.count > 0).toBe(taken < 600);
      expect(await to.silent()).toBe(true);
      expect(await wakes.during()).toBe(0);
    });

    it("receives nothing without a free slot or row, and goes on when there is one", async () => {
      const { from, to, slab } = await pair(8);
      for (let i = 0; i < 8; i++) from.side.put(packet(i));
      await from.sendAll(slab);
      const { filled } = to.side;
      const slots = Array.from({ length: 6 }, () => filled.pool.take());
      let got = 0;
      while (got < 2) {
        got += to.underlay.recvBatch(filled, 64);
        await turn();
      }
      expect([got, to.underlay.recvBatch(filled, 64)]).toEqual([2, 0]);
      for (const slot of slots) filled.pool.release(slot);
      const first = to.side.drain();
      const reads = [...first, ...(await to.receive(6))];
      expect(reads.map(({ bytes }) => serialOf(bytes))).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      expect(to.side.inUse).toBe(0);
    });

    it("receives no more than it is asked for", async () => {
      const { from, to, slab } = await pair();
      for (let i = 0; i < 10; i++) from.side.put(packet(i));
      await from.sendAll(slab);
      await pause();
      expect([3, 0, 64].map((max) => to.underlay.recvBatch(to.side.filled, max))).toEqual([3, 0, 7]);
      expect([to.underlay.recvBatch(to.side.filled, 64), to.side.inUse]).toEqual([0, 10]);
    });

    it("marks a datagram that is longer than its slot, and keeps the next one apart", async () => {
      const { from, slab } = await pair();
      const receiver = open[0]!;
      const small = new Node(receiver, 8, 128);
      from.side.put(packet(1, 500));
      from.side.put(packet(2, 100));
      await from.sendAll(slab);
      const [first, second] = await small.receive(2);
      expect([first!.bytes, first!.outer & TRUNCATED]).toEqual([packet(1, 500).subarray(0, 120), TRUNCATED]);
      expect([second!.bytes, second!.outer & TRUNCATED]).toEqual([packet(2, 100), 0]);
    });

    it("carries TOS exactly where it says so", async () => {
      const node = new Node(await keep(subject.open(0)));
      const witness = new Node(await keep(subject.witness()));
      for (const [from, to] of [
        [node, witness],
        [witness, node],
      ] as const) {
        for (const tos of TOS) from.side.put(packet(tos), { outer: tos });
        await from.sendAll(to.sockaddr);
        const carried = from.underlay.capabilities.sendTos && to.underlay.capabilities.recvTos;
        expect((await to.receive(TOS.length)).map(({ tos }) => tos)).toEqual(
          carried ? TOS : TOS.map(() => 0),
        );
      }
    });

    it("sends from the source port that is asked for exactly where it says so", async () => {
      const { from, to, slab } = await pair();
      const ports = [0, 49_152, 65_535, 0];
      for (const port of ports) from.side.put(packet(port), { outer: port << 16 });
      await from.sendAll(slab);
      const { sourcePort } = from.underlay.capabilities;
      expect((await to.receive(ports.length)).map(({ port }) => port)).toEqual(
        ports.map((port) => (sourcePort && port) || from.port),
      );
    });

    it("refuses the oldest row with an errno and leaves it; the others go", async () => {
      const { from, to, slab: receiver } = await pair(16, 65_600);
      const stranger = slabOf({ address: new Uint8Array(subject.family === 4 ? 16 : 4).fill(1), port: 8472 });
      const slab = Uint8Array.from([...receiver, ...new Uint8Array(28), ...stranger]);
      const { ready } = from.side;
      const bad = [
        () => from.side.put(packet(1), { peer: 1 }), // a row that is all zero
        () => from.side.put(packet(1), { peer: 2 }), // of the other family
        () => from.side.put(packet(1, LARGEST + 1)),
      ];
      for (const putBad of bad) {
        from.side.put(packet(10));
        putBad();
        from.side.put(packet(11));
        expect(from.underlay.sendBatch(ready, slab)).toBe(1);
        expect([from.underlay.sendBatch(ready, slab) < 0, ready.length, from.side.inUse]).toEqual([
          true,
          2,
          2,
        ]);
        ready.complete(1);
        expect(from.underlay.sendBatch(ready, slab)).toBe(1);
        expect((await to.receive(2)).map(({ bytes }) => serialOf(bytes))).toEqual([10, 11]);
      }
      expect(from.side.inUse).toBe(0);
    });

    const { refused } = subject;
    if (refused !== undefined) {
      it("tells what the kernel refuses, at once or later; the others go", async () => {
        const { from, to, slab: receiver } = await pair();
        const slab = Uint8Array.from([...receiver, ...slabOf({ address: refused, port: 8472 })]);
        for (const peer of [0, 1, 0]) from.side.put(packet(peer), { peer });
        let told = 0;
        while (from.side.ready.length > 0) {
          const sent = from.underlay.sendBatch(from.side.ready, slab);
          if (sent >= 0) continue;
          told++;
          from.side.ready.complete(1);
        }
        await to.receive(2);
        await pause();
        told += (from.underlay as { asyncErrors?: number }).asyncErrors ?? 0;
        expect([told, from.side.inUse]).toEqual([1, 0]);
      });
    }

    it("wakes who waits for datagrams, again and again while there are some, and nobody else", async () => {
      const { from, to, slab } = await pair();
      const wakes = new Wakes();
      to.underlay.setWake(wakes.wake);
      from.side.put(packet(1));
      await from.sendAll(slab);
      expect(await wakes.during()).toBe(0); // nobody has asked yet
      wakes.busy = true;
      to.underlay.setInterest(true, false);
      wakes.busy = false;
      await wakes.next();
      await wakes.next();
      to.underlay.setInterest(false, false);
      expect(await wakes.during()).toBe(0);
      to.underlay.setInterest(true, false);
      await wakes.next();
      await to.receive(1);
      await turn(); // a wake that was on its way
      expect(await wakes.during()).toBe(0);
      from.side.put(packet(2));
      wakes.busy = true;
      const sent = from.sendAll(slab);
      wakes.busy = false;
      await sent;
      await wakes.next();
      expect(wakes.inside).toBe(0);
    });

    it("wakes who waits to send while it can, and nobody else", async () => {
      const { from } = await pair();
      const wakes = new Wakes();
      from.underlay.setWake(wakes.wake);
      expect(await wakes.during()).toBe(0);
      wakes.busy = true;
      from.underlay.setInterest(false, true);
      wakes.busy = false;
      await wakes.next();
      await wakes.next();
      from.underlay.setInterest(true, false);
      expect(await wakes.during()).toBe(0);
      expect(wakes.inside).toBe(0);
    });

    it("wakes nobody after setWake(null), and begins anew with another", async () => {
      const { from, to, slab } = await pair();
      const [first, second] = [new Wakes(), new Wakes()];
      to.underlay.setWake(first.wake);
      to.underlay.setInterest(true, true);
      to.underlay.setWake(null);
      to.underlay.setInterest(true, true);
      from.side.put(packet(1));
      await from.sendAll(slab);
      expect(await first.during()).toBe(0);
      to.underlay.setInterest(false, false);
      to.underlay.setWake(second.wake);
      to.underlay.setInterest(true, false);
      await second.next();
      expect(first.count).toBe(0);
      expect((await to.receive(1)).length).toBe(1);
    });

    it("is closed once or twice, frees its port at once, and touches nothing afterwards", async () => {
      const { from, to, slab } = await pair();
      const wakes = new Wakes();
      to.underlay.setWake(wakes.wake);
      to.underlay.setInterest(true, true);
      for (let i = 0; i < 4; i++) from.side.put(packet(i));
      await from.sendAll(slab);
      to.underlay.close();
      to.underlay.close();
      const again = new Node(await keep(subject.open(to.port))); // has the descriptor of the closed one, too
      expect(again.port).toBe(to.port);
      expect(await wakes.during()).toBe(0);
      from.side.put(packet(9));
      await from.sendAll(slab);
      await pause();
      to.side.put(packet(10));
      expect(to.underlay.recvBatch(to.side.filled, 8)).toBe(-EBADF);
      expect(to.underlay.sendBatch(to.side.ready, slab)).toBe(-EBADF);
      expect([to.side.filled.length, to.side.ready.length]).toEqual([0, 1]);
      to.underlay.setInterest(true, true);
      to.underlay.setWake(null);
      expect((await again.receive(1)).map(({ bytes }) => serialOf(bytes))).toEqual([9]);
    });

    it("can be closed with datagrams under way", async () => {
      const { from, to, slab } = await pair(600, 256);
      for (let i = 0; i < 600; i++) from.side.put(packet(i));
      from.underlay.sendBatch(from.side.ready, slab);
      from.underlay.close();
      to.underlay.close();
      await pause();
      expect(from.underlay.sendBatch(from.side.ready, slab)).toBeLessThanOrEqual(0);
    });
  });
}
