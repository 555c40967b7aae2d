/** Holding a dataplane: what it has read leaves, and nothing more is read; then another one may go on. */
import { describe, expect, it } from "vitest";
import { Counters } from "../../src/dataplane/counters.ts";
import { driveBlocking } from "../../src/dataplane/drive-blocking.ts";
import { everyOffload } from "../../src/dataplane/offloads.ts";
import { frame, vxlan } from "./frames.ts";
import { setUp, slotsInUse, tapFrame } from "./ports.ts";

describe("hold", () => {
  it("sends all that was read, in order, and reads no more", () => {
    const { tap, underlay, dataplane, loop } = setUp();
    for (let i = 0; i < 300; i++) {
      tap.incoming.push(tapFrame(i));
      underlay.incoming.push(vxlan(frame({ payload: i })));
    }
    underlay.writes.push(0, 0, 3, 0, 0, 0);
    tap.writes.push(0, 1, 0, 0, 0, 0);
    for (let i = 0; i < 4; i++) loop.turn();
    expect(slotsInUse(dataplane)).toBeGreaterThan(0);
    const [left, leftUnder] = [tap.incoming.length, underlay.incoming.length];
    underlay.writes.push(0, 0, 0, 1);
    expect(dataplane.hold()).toBe(true);
    expect([tap.incoming.length, underlay.incoming.length]).toEqual([left, leftUnder]);
    expect(slotsInUse(dataplane)).toBe(0);
    const sent = Array.from({ length: 300 - left }, (_, i) => vxlan(frame({ payload: i })));
    expect(underlay.outgoing).toEqual(sent);
    expect(tap.outgoing).toEqual(Array.from({ length: 300 - leftUnder }, (_, i) => frame({ payload: i })));
    // And it can go on as if nothing had been.
    dataplane.release();
    while (loop.turn() > 0);
    expect([underlay.outgoing.length, tap.outgoing.length]).toEqual([300, 300]);
  });

  it("sends also the message that waits for company", () => {
    const { tap, underlay, dataplane, loop } = setUp(everyOffload(true));
    underlay.capabilities = { ...underlay.capabilities, gso: true };
    tap.budget = 4;
    for (let i = 0; i < 12; i++) tap.incoming.push(tapFrame(100));
    loop.turn();
    const read = 12 - tap.incoming.length;
    expect(underlay.outgoing.length).toBeLessThan(read);
    expect(dataplane.hold()).toBe(true);
    expect(underlay.outgoing).toHaveLength(read);
  });

  it("is not possible where a port takes nothing: then everything goes on", () => {
    const { tap, underlay, dataplane, loop } = setUp();
    tap.incoming.push(tapFrame());
    const { shift } = underlay.writes;
    underlay.writes.shift = () => 0;
    loop.turn();
    expect(dataplane.hold()).toBe(false);
    expect(loop.held).toBe(false);
    underlay.writes.shift = shift;
    loop.turn();
    expect(underlay.outgoing).toHaveLength(1);
  });
});

describe("the blocking driver, while its loop is held", () => {
  it("obeys control and does nothing else, also from the start on", () => {
    const { tap, underlay, dataplane, loop } = setUp();
    const attention = new Int32Array(new SharedArrayBuffer(4));
    Atomics.store(attention, 0, 1);
    loop.held = true;
    tap.incoming.push(tapFrame());
    const wanted: unknown[][] = [];
    const waiter = {
      tapReady: true,
      underlayReady: true,
      wait(...what: unknown[]): boolean {
        wanted.push(what);
        return false;
      },
    };
    const said: (() => boolean)[] = [
      () => true,
      () => true,
      () => {
        expect(underlay.outgoing).toHaveLength(0);
        dataplane.release();
        return true;
      },
      () => false,
    ];
    driveBlocking(loop, waiter, attention, () => {
      if (said.length === 2) Atomics.store(attention, 0, 1);
      return said.shift()!();
    });
    expect(underlay.outgoing).toHaveLength(1);
    expect(wanted.slice(0, 2)).toEqual([
      [false, false, false, false, -1, false],
      [false, false, false, false, -1, false],
    ]);
  });
});

describe("counters", () => {
  it("go on from another's, and leave out what nobody counts here", () => {
    const before = new Counters();
    before.values.forEach((_, i) => {
      before.values[i] = i + 1;
    });
    const snapshot = before.snapshot();
    const after = new Counters();
    after.restore({
      ...snapshot,
      drops: { ...snapshot.drops, tx: { ...snapshot.drops.tx, ["GONE" as "FULL_RING"]: 3 } },
    });
    expect(after.snapshot()).toEqual(snapshot);
    const { txFrames: _, ...older } = snapshot;
    after.restore(older as typeof snapshot);
    expect(after.get("txFrames")).toBe(0);
  });
});
