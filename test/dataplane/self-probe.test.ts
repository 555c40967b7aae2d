import { describe, expect, it } from "vitest";
import { Dataplane } from "../../src/dataplane/dataplane.ts";
import { DROPPED } from "../../src/dataplane/event-ring.ts";
import type { DataplaneOptions } from "../../src/dataplane/options.ts";
import { frame, MAC_A, vxlan } from "./frames.ts";
import { several } from "./overlays.ts";
import { ScriptedTap, ScriptedUnderlay, tapFrame } from "./ports.ts";
import { OPTIONS } from "./stages.ts";

const POLICIES: readonly Partial<DataplaneOptions>[] = [
  {},
  { senderCheck: "mac" },
  { senderCheck: "off", learning: true, maxaddress: 1 },
  { learning: true, floodRate: 1, reservedBits: "linux" },
  { gbp: { group: 100, dontLearn: true, applied: false }, reservedBits: "linux" },
  { vlan: "rfc", tos: "inherit", ttl: "inherit", df: "inherit" },
  { proxy: { on: true, unknown: "drop", l2miss: true, l3miss: true } },
  { mtu: 68 },
];

describe("a self-probe", () => {
  for (const options of POLICIES) {
    it(`comes back, is seen by nobody and leaves nothing behind, with ${JSON.stringify(options)}`, () => {
      const { dataplane, underlay, taps, counters, loop } = several([7], { options });
      const state = () => ({
        counters: counters[0]!.snapshot(),
        rows: dataplane.rows(),
        health: dataplane.health(),
      });
      const before = state();
      for (let i = 0; i < 300; i++) expect(dataplane.probe(0)).toBeNull();
      expect(state()).toEqual(before);
      while (loop.turn() > 0);
      expect([underlay.outgoing, taps[0]!.outgoing]).toEqual([[], []]);
    });
  }

  it("goes through the overlay that is named", () => {
    const { dataplane, taps } = several([1, 2, 0xffffff]);
    for (let place = 0; place < 3; place++) expect(dataplane.probe(place)).toBeNull();
    dataplane.overlays[1]!.decap.run = (filled) => filled.complete(1);
    expect([0, 1, 2].map((place) => dataplane.probe(place))).toEqual([
      null,
      { why: "decap dropped it" },
      null,
    ]);
    expect(taps.map(({ outgoing }) => outgoing)).toEqual([[], [], []]);
  });

  it("says which stage dropped it, and why, and nobody else is told", () => {
    const { dataplane, events } = several([1]);
    events.open(0, DROPPED);
    const { encap } = dataplane.overlays[0]!;
    // Nothing is a row for it any more.
    encap.run = (filled, ready) => {
      filled.bytes.fill(
        0x01,
        filled.words[filled.row(filled.tail) + 3]! + 12,
        filled.words[filled.row(filled.tail) + 3]! + 18,
      );
      Object.getPrototypeOf(encap).run.call(encap, filled, ready);
    };
    expect(dataplane.probe(0)).toEqual({ why: "encap dropped it: NO_TX_TARGET" });
    expect(dataplane.rows()).toHaveLength(2);
    events.drain(1, () => expect.fail("told"));
    expect(events.listensTo(DROPPED)).toBe(true);
  });

  it("notices a frame that comes back changed", () => {
    const { dataplane } = several([1]);
    const { decap } = dataplane.overlays[0]!;
    decap.run = (filled, ready) => {
      Object.getPrototypeOf(decap).run.call(decap, filled, ready);
      ready.bytes[ready.words[ready.row(ready.tail) + 3]! + 50]! ^= 1;
    };
    expect(dataplane.probe(0)).toEqual({ why: expect.stringMatching(/not the one/) });
  });

  it("goes on after one that a stage left lying, and says where one has kept a slot", () => {
    const { dataplane } = several([1]);
    const { encap, decap } = dataplane.overlays[0]!;
    const real = { encap: encap.run, decap: decap.run };
    encap.run = () => {}; // nothing is taken from the ring
    expect(dataplane.probe(0)).toEqual({ why: "encap dropped it" });
    encap.run = real.encap;
    expect(dataplane.probe(0)).toBeNull();
    decap.run = (filled) => filled.forward(1); // and its slot is nobody's
    expect(dataplane.probe(0)).toEqual({ why: "decap dropped it" });
    decap.run = real.decap;
    expect(dataplane.probe(0)).toEqual({ why: expect.stringMatching(/kept the slot/) });
  });

  it("goes over an IPv6 underlay, too", () => {
    class Ipv6Underlay extends ScriptedUnderlay {
      // biome-ignore lint/suspicious/noExplicitAny: the others are all IPv4
      override readonly family = 6 as any;
    }
    const dataplane = new Dataplane(OPTIONS, new ScriptedTap(), new Ipv6Underlay());
    for (let i = 0; i < 3; i++) expect(dataplane.probe(0)).toBeNull();
    expect(dataplane.rows()).toEqual([]);
  });

  it("does not run while packets wait, and joins nothing of theirs to what comes later", () => {
    const { dataplane, taps, underlay, loop } = several([1]);
    const [tap] = taps;
    underlay.writes.push(...new Array(4).fill(0));
    for (let i = 0; i < 3; i++) tap!.incoming.push(tapFrame(i));
    loop.turn();
    expect(underlay.outgoing).toEqual([]);
    expect(dataplane.probe(0)).toBeNull(); // what waits is done with encap
    tap!.writes.push(0, 0);
    underlay.bring(vxlan(frame()));
    loop.turn();
    expect(dataplane.probe(0)).toBe("busy");
    while (loop.turn() > 0 || underlay.writes.length > 0);
    expect(dataplane.probe(0)).toBeNull();
    expect(underlay.outgoing).toEqual([0, 1, 2].map((payload) => vxlan(frame({ payload }))));
    expect(tap!.outgoing).toEqual([frame()]);
  });

  it("takes another MAC where somebody has its own", () => {
    const { dataplane } = several([1], { options: { mac: "02:70:6f:70:6c:00" } });
    dataplane.update({ op: "add", mac: "02:70:6f:70:6c:01", address: Uint8Array.of(10, 0, 0, 1), port: 1 });
    expect(dataplane.probe(0)).toBeNull();
    expect(dataplane.rows().map(({ mac }) => mac)).toContain(MAC_A);
  });
});
