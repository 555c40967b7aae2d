/** What waits between two turns: messages that may grow, and super-frames for slots to be cut into. */
import { describe, expect, it } from "vitest";
import { everyOffload } from "../../src/dataplane/offloads.ts";
import { NOBODY } from "../../src/fdb/vteps.ts";
import { frame, MAC_A, MAC_B } from "./frames.ts";
import { setUp, slotsInUse, tapFrame } from "./ports.ts";

const TCPV4 = 1;

describe("a message that more rows may join", () => {
  /** Frames of which 44 fill a message, read four at a time. */
  function inFours(count: number) {
    const made = setUp();
    const { tap, underlay } = made;
    underlay.capabilities = { ...underlay.capabilities, gso: true };
    for (let i = 0; i < count; i++) tap.incoming.push(tapFrame(1422));
    tap.budget = 4;
    return made;
  }

  it("waits while it is known that there are more", () => {
    const { tap, underlay, loop, dataplane } = inFours(95);
    while (loop.turn() > 0 || !loop.idle);
    expect(tap.incoming).toEqual([]);
    expect(underlay.messages).toEqual([[44], [44], [7]]);
    expect(slotsInUse(dataplane)).toBe(0);
  });

  it("leaves as soon as nothing follows", () => {
    const { underlay, loop } = inFours(10);
    while (!loop.idle) loop.turn();
    expect(underlay.messages).toEqual([[10]]);
    expect(loop.underlayBlocked).toBe(false);
  });

  it("leaves when what follows is dropped, however much that is", () => {
    const { tap, underlay, loop } = inFours(1);
    const nowhere = tapFrame();
    nowhere.set([0x02, 0, 0, 0, 0, 0x0c], 12);
    tap.incoming.push(...Array.from({ length: 400 }, () => nowhere));
    for (let turn = 0; turn < 3; turn++) loop.turn();
    expect(tap.more).toBe(true);
    expect(underlay.messages).toEqual([[1]]);
  });

  it("goes on where it is, when a send took only a part of what waits", () => {
    const { tap, underlay, loop, dataplane } = inFours(60);
    underlay.writes.push(0, 10, 0, 10); // rows that the next sends take
    while (loop.turn() > 0 || !loop.idle || loop.underlayBlocked);
    expect(tap.incoming).toEqual([]);
    expect(underlay.outgoing).toHaveLength(60);
    expect(slotsInUse(dataplane)).toBe(0);
  });

  it("is sent with what is in it when another VTEP's frame comes", () => {
    const { tap, underlay, loop, dataplane } = inFours(10);
    dataplane.update({ op: "replace", mac: MAC_A, address: Uint8Array.of(172, 19, 0, 4), port: 8472 });
    const other = tapFrame(1422);
    other.set([0x02, 0, 0, 0, 0, 0x0a], 12);
    tap.incoming.push(other, ...Array.from({ length: 10 }, () => tapFrame(1422)));
    while (loop.turn() > 0 || !loop.idle);
    expect(underlay.messages.flat()).toEqual([10, 1, 10]);
    expect(slotsInUse(dataplane)).toBe(0);
  });

  it("does not go to whoever gets the index of its VTEP meanwhile", () => {
    const { underlay, loop, dataplane, counters } = inFours(30);
    loop.turn();
    expect(loop.underlayBlocked).toBe(true);
    dataplane.update({ op: "del", mac: MAC_B, address: new Uint8Array(0), port: 0 });
    dataplane.update({ op: "del", mac: MAC_A, address: new Uint8Array(0), port: 0 });
    while (loop.turn() > 0 || !loop.idle);
    expect(underlay.peers).toEqual([NOBODY, NOBODY, NOBODY, NOBODY]);
    expect(counters.drops("tx", "NO_TX_TARGET")).toBe(26);
  });
});

describe("super-frames", () => {
  it("are cut into what slots there are, and wait for others, with every byte as it was", () => {
    const input = (): Uint8Array[] =>
      Array.from({ length: 160 }, (_, i) => {
        if (i < 60) return tapFrame(i); // each keeps a slot
        const bytes = Uint8Array.from([
          ...new Uint8Array(12),
          ...frame({ protocol: "tcp", payload: 65_000 }),
        ]);
        bytes.set([1, TCPV4, 54, 0, 1300 & 255, 1300 >> 8, 34, 0, 16, 0]);
        return bytes;
      });
    const run = (blocked: number): Uint8Array[] => {
      const { tap, underlay, loop, dataplane } = setUp(everyOffload(true));
      tap.incoming.push(...input());
      underlay.writes.push(...new Array(blocked).fill(0));
      for (let turn = 0; turn < blocked; turn++) loop.turn();
      while (loop.turn() > 0 || loop.underlayBlocked);
      expect(slotsInUse(dataplane)).toBe(0);
      return underlay.outgoing;
    };
    const [smoothly, blocked] = [run(0), run(100)];
    expect(smoothly).toHaveLength(60 + 100 * 50);
    expect(Buffer.compare(Buffer.concat(smoothly), Buffer.concat(blocked))).toBe(0);
  });
});
