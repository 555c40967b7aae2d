/** Whom an underlay wakes and when, and how it ends. */
import { expect, it } from "vitest";
import { packet, serialOf } from "../io/side.ts";
import { Node, pause, turn, Wakes } from "./node.ts";
import type { Opener } from "./underlay-opener.ts";

const EBADF = 9;

export function wakeContract(opener: Opener): void {
  it("wakes who waits for datagrams, again and again while there are some, and nobody else", async () => {
    const { from, to, slab } = await opener.pair();
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
    const { from } = await opener.pair();
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
    const { from, to, slab } = await opener.pair();
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
    const { from, to, slab } = await opener.pair();
    const wakes = new Wakes();
    to.underlay.setWake(wakes.wake);
    to.underlay.setInterest(true, true);
    for (let i = 0; i < 4; i++) from.side.put(packet(i));
    await from.sendAll(slab);
    to.underlay.close();
    to.underlay.close();
    const again = new Node(await opener.open(to.port)); // has the descriptor of the closed one, too
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
    const { from, to, slab } = await opener.pair(600, 256);
    for (let i = 0; i < 600; i++) from.side.put(packet(i));
    from.underlay.sendBatch(from.side.ready, slab);
    from.underlay.close();
    to.underlay.close();
    await pause();
    expect(from.underlay.sendBatch(from.side.ready, slab)).toBeLessThanOrEqual(0);
  });
}
