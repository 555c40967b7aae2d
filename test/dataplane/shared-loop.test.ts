/** Several TAPs on one loop: turns, back-pressure, and that each gets what it would get alone. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DROPPED } from "../../src/dataplane/event-ring.ts";
import { frame, MAC_B, mac, vxlan } from "./frames.ts";
import { several } from "./overlays.ts";
import { slotsInUse, tapFrame } from "./ports.ts";
import { droppedOf, OWN_MAC } from "./stages.ts";

const VNIS = [1, 70, 0xffffff];

/** The VNI of a datagram. */
function vniOf(datagram: Uint8Array): number {
  return (datagram[4]! << 16) | (datagram[5]! << 8) | datagram[6]!;
}

describe("frames of several TAPs", () => {
  it("leave with their VNI, in the order of each TAP", () => {
    const { underlay, taps, loop, counters, dataplane } = several(VNIS);
    taps.forEach((tap, place) => {
      for (let i = 0; i < 50 + place; i++) tap.incoming.push(tapFrame(i));
    });
    while (loop.turn() > 0 || !loop.idle);
    VNIS.forEach((vni, place) => {
      const wanted = Array.from({ length: 50 + place }, (_, i) => vxlan(frame({ payload: i }), vni));
      expect(underlay.outgoing.filter((one) => vniOf(one) === vni)).toEqual(wanted);
      expect(counters[place]!.get("txFrames")).toBe(50 + place);
    });
    expect(slotsInUse(dataplane)).toBe(0);
  });

  it("a TAP that always has more does not keep the others waiting", () => {
    const { underlay, taps, loop } = several(VNIS);
    for (let i = 0; i < 5000; i++) taps[0]!.incoming.push(tapFrame());
    for (let i = 0; i < 20; i++) loop.turn();
    const before = underlay.outgoing.length;
    taps[2]!.incoming.push(tapFrame());
    while (underlay.outgoing.every((one) => vniOf(one) !== VNIS[2])) loop.turn();
    // A round that has begun, and the one in which it is read.
    expect(underlay.outgoing.length - before).toBeLessThanOrEqual(3 * 64 + 1);
  });

  it("wait where the underlay takes nothing: the reads stop, and nothing is lost", () => {
    const { underlay, taps, loop, dataplane } = several(VNIS);
    for (const tap of taps) for (let i = 0; i < 500; i++) tap.incoming.push(tapFrame(i));
    underlay.writes.push(...new Array(40).fill(0));
    for (let i = 0; i < 40; i++) loop.turn();
    expect(loop.canReadTap).toBe(false);
    expect(loop.idle).toBe(true);
    while (loop.turn() > 0 || !loop.idle);
    for (const vni of VNIS) {
      const sizes = underlay.outgoing.filter((one) => vniOf(one) === vni).map((one) => one.length);
      expect(sizes).toEqual(Array.from({ length: 500 }, (_, i) => vxlan(frame({ payload: i })).length));
    }
    expect(slotsInUse(dataplane)).toBe(0);
  });

  it("are counted by their overlay when the underlay refuses them", () => {
    const { underlay, taps, loop, counters } = several(VNIS);
    taps[1]!.incoming.push(tapFrame());
    underlay.writes.push(-113);
    loop.turn();
    expect(counters.map((one) => one.drops("tx", "UNDERLAY_REFUSED"))).toEqual([0, 1, 0]);
  });

  it("are told with their own VNI by the first of a message that is refused, and all of it is counted", () => {
    const { underlay, taps, loop, counters, events } = several(VNIS);
    events.open(0, DROPPED);
    underlay.capabilities = { ...underlay.capabilities, gso: true };
    for (let i = 0; i < 4; i++) taps[1]!.incoming.push(tapFrame(1000));
    underlay.writes.push(-113);
    loop.turn();
    expect(counters.map((one) => one.drops("tx", "UNDERLAY_REFUSED"))).toEqual([0, 4, 0]);
    expect(droppedOf(events)).toMatchObject([
      { errno: 113, header: { vni: VNIS[1] }, remote: { port: 8472 } },
    ]);
  });

  it("do not join a message that another's frames have closed", () => {
    const { underlay, taps, loop } = several(VNIS);
    underlay.capabilities = { ...underlay.capabilities, gso: true };
    for (const tap of taps) {
      tap.budget = 4;
      for (let i = 0; i < 12; i++) tap.incoming.push(tapFrame(1422));
    }
    underlay.writes.push(...new Array(8).fill(0));
    while (loop.turn() > 0 || !loop.idle || loop.underlayBlocked);
    expect(underlay.outgoing).toHaveLength(36);
    let at = 0;
    for (const rows of underlay.messages.flat()) {
      expect(new Set(underlay.outgoing.slice(at, at + rows).map(vniOf)).size).toBe(1);
      at += rows;
    }
    expect(at).toBe(36);
  });
});

describe("a TAP that takes nothing", () => {
  it("holds its frames and what is behind them, and is the one to wait for", () => {
    const { underlay, taps, loop, dataplane, counters } = several(VNIS);
    taps[1]!.writes.push(0, 0);
    for (const vni of [1, 70, 70, 1]) underlay.bring(vxlan(frame(), vni));
    loop.turn();
    expect(taps.map((tap) => tap.outgoing.length)).toEqual([1, 0, 0]);
    expect(loop.blockedTaps!.frames).toBe(taps[1]);
    expect(loop.blockedTaps!.answers).toBe(null);
    while (loop.turn() > 0 || loop.tapBlocked);
    expect(taps.map((tap) => tap.outgoing.length)).toEqual([2, 2, 0]);
    expect(counters.map((one) => one.get("rxBackpressure"))).toEqual([0, 2, 0]);
    expect(slotsInUse(dataplane)).toBe(0);
  });

  it("does not stop what others send", () => {
    const { underlay, taps, loop } = several(VNIS);
    taps[1]!.writes.push(...new Array(50).fill(0));
    underlay.bring(vxlan(frame(), 70));
    taps[0]!.incoming.push(tapFrame());
    taps[1]!.incoming.push(tapFrame());
    loop.turn();
    expect(underlay.outgoing.map(vniOf).toSorted((a, b) => a - b)).toEqual([1, 70]);
  });

  it("is named when it is gone", () => {
    const { taps, loop } = several(VNIS);
    taps[2]!.reads.push(-77);
    loop.turn();
    expect(loop.failure).toEqual({ port: "tap", errno: 77, overlay: 2 });
  });
});

describe("overlays of one agent", () => {
  it("have tables of their own: the same MAC is somebody else in each", () => {
    const { dataplane } = several(VNIS);
    const [first, second] = dataplane.overlays;
    expect(second!.update({ op: "del", mac: MAC_B, address: new Uint8Array(0), port: 8472 })).toBe(null);
    expect(first!.rows()).toHaveLength(2);
    expect(second!.rows().map(({ vni }) => vni)).toEqual([70]);
  });

  it("answer ARP each on its own TAP", () => {
    const proxy = { on: true, unknown: "drop", l2miss: false, l3miss: false } as const;
    const { underlay, taps, loop, dataplane, counters } = several(VNIS, { options: { proxy } });
    const address = Uint8Array.of(10, 244, 2, 5);
    dataplane.overlays[1]!.updateNeighbour({ op: "add", address, mac: MAC_B });
    const ask = Uint8Array.from([
      ...[...new Array(12).fill(0), 255, 255, 255, 255, 255, 255, ...mac(OWN_MAC), 8, 6],
      ...[0, 1, 8, 0, 6, 4, 0, 1, ...mac(OWN_MAC), 10, 244, 1, 2, 0, 0, 0, 0, 0, 0, ...address],
    ]);
    for (const tap of taps) tap.incoming.push(ask);
    taps[1]!.writes.push(0, 0);
    loop.turn();
    expect(loop.blockedTaps!.answers).toBe(taps[1]);
    while (loop.turn() > 0 || loop.tapBlocked);
    expect(taps.map((tap) => tap.outgoing.length)).toEqual([0, 1, 0]);
    expect(counters.map((one) => one.drops("tx", "NEIGH_MISS"))).toEqual([1, 0, 1]);
    expect(underlay.outgoing).toEqual([]);
    expect(slotsInUse(dataplane)).toBe(0);
  });
});

describe("whatever comes, each overlay does what it would do alone", () => {
  const place = fc.nat({ max: VNIS.length - 1 });
  const packet = fc.record({
    place,
    out: fc.boolean(),
    payload: fc.nat({ max: 300 }),
    known: fc.boolean(),
    train: fc.array(place, { minLength: 1, maxLength: 6 }),
  });
  const blocks = fc.array(fc.nat({ max: 3 }), { maxLength: 12 });

  it("the same frames, the same datagrams, the same counters", () => {
    fc.assert(
      fc.property(
        fc.array(packet, { maxLength: 120 }),
        blocks,
        fc.array(blocks, { maxLength: 3 }),
        (all, sends, writes) => {
          const together = several(VNIS);
          const alone = VNIS.map((vni) => several([vni]));
          together.underlay.writes.push(...sends);
          for (const [i, some] of writes.entries()) together.taps[i]!.writes.push(...some);
          for (const one of all) {
            const inner = frame({ payload: one.payload, ...(one.known ? {} : { dst: "02:00:00:00:00:cc" }) });
            if (one.out) {
              const bytes = Uint8Array.from([...new Uint8Array(12), ...inner]);
              together.taps[one.place]!.incoming.push(bytes);
              alone[one.place]!.taps[0]!.incoming.push(bytes);
              continue;
            }
            const packets = one.train.map((at) => vxlan(inner, VNIS[at]));
            const train = Uint8Array.from(packets.flatMap((bytes) => [...bytes]));
            together.underlay.bring(train, packets.length > 1 ? packets[0]!.length : 0);
            one.train.forEach((at, i) => {
              alone[at]!.underlay.bring(packets[i]!);
            });
            if (one.payload % 7 === 0) together.loop.turn();
          }
          const { loop } = together;
          while (loop.turn() > 0 || !loop.idle || loop.tapBlocked || loop.underlayBlocked);
          alone.forEach((one, i) => {
            while (one.loop.turn() > 0 || !one.loop.idle);
            expect(together.taps[i]!.outgoing).toEqual(one.taps[0]!.outgoing);
            const sent = together.underlay.outgoing.filter((bytes) => vniOf(bytes) === VNIS[i]);
            expect(sent).toEqual(one.underlay.outgoing);
            for (const name of ["txFrames", "txBytes", "rxFrames", "rxBytes"] as const) {
              expect(together.counters[i]!.get(name)).toBe(one.counters[0]!.get(name));
            }
            expect(together.counters[i]!.snapshot().drops.tx).toEqual(one.counters[0]!.snapshot().drops.tx);
          });
          expect(slotsInUse(together.dataplane)).toBe(0);
        },
      ),
      { numRuns: 150 },
    );
  });
});
