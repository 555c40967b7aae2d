/** What an underlay does when it cannot take, cannot receive, or may not send. */
import { expect, it } from "vitest";
import { packet, serialOf } from "../io/side.ts";
import { pause, slabOf, turn, Wakes } from "./node.ts";
import type { Opener } from "./underlay-opener.ts";

/** Largest UDP payload over IPv6; over IPv4 it is less. */
const LARGEST = 65_527;

export function limitsContract(opener: Opener): void {
  it("takes what it can; the rest stays in the ring until it is woken, and nothing is lost or sent twice", async () => {
    const { from, to, slab } = await opener.pair(600, 256);
    for (let i = 0; i < 600; i++) from.side.put(packet(i));
    const { ready } = from.side;
    const taken = from.underlay.sendBatch(ready, slab);
    expect(taken).toBe(opener.subject.taken ?? 600);
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
    const { from, to, slab } = await opener.pair(8);
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
    const { from, to, slab } = await opener.pair();
    for (let i = 0; i < 10; i++) from.side.put(packet(i));
    await from.sendAll(slab);
    await pause();
    expect([3, 0, 64].map((max) => to.underlay.recvBatch(to.side.filled, max))).toEqual([3, 0, 7]);
    expect([to.underlay.recvBatch(to.side.filled, 64), to.side.inUse]).toEqual([0, 10]);
  });

  it("refuses the oldest row with an errno and leaves it; the others go", async () => {
    const { from, to, slab: receiver } = await opener.pair(16, 65_600);
    const stranger = slabOf({
      address: new Uint8Array(opener.subject.family === 4 ? 16 : 4).fill(1),
      port: 8472,
    });
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
      expect([from.underlay.sendBatch(ready, slab) < 0, ready.length, from.side.inUse]).toEqual([true, 2, 2]);
      ready.complete(1);
      expect(from.underlay.sendBatch(ready, slab)).toBe(1);
      expect((await to.receive(2)).map(({ bytes }) => serialOf(bytes))).toEqual([10, 11]);
    }
    expect(from.side.inUse).toBe(0);
  });

  const { refused } = opener.subject;
  if (refused !== undefined) {
    it("tells what the kernel refuses, at once or later; the others go", async () => {
      const { from, to, slab: receiver } = await opener.pair();
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
}
