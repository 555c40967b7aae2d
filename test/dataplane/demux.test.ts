/** What arrives for several VNIs on one port, packet by packet and in trains. */
import { describe, expect, it } from "vitest";
import { VniTable } from "../../src/dataplane/demux.ts";
import { everyOffload } from "../../src/dataplane/offloads.ts";
import { frame, vxlan } from "./frames.ts";
import { several } from "./overlays.ts";
import { slotsInUse } from "./ports.ts";

const VNIS = [1, 70, 0xffffff];

function join(packets: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(packets.flatMap((packet) => [...packet]));
}

describe("a datagram goes to the overlay that its VNI names", () => {
  it("one by one, interleaved", () => {
    const { underlay, taps, loop, counters, dataplane } = several(VNIS);
    const frames = Array.from({ length: 60 }, (_, i) => frame({ payload: i + 1 }));
    frames.forEach((bytes, i) => {
      underlay.bring(vxlan(bytes, VNIS[(i * i) % 3]));
    });
    while (loop.turn() > 0 || !loop.idle);
    taps.forEach((tap, place) => {
      const mine = frames.filter((_, i) => (i * i) % 3 === place);
      expect(tap.outgoing).toEqual(mine);
      expect(counters[place]!.get("rxFrames")).toBe(mine.length);
      expect(counters[place]!.get("rxDatagrams")).toBe(mine.length);
    });
    expect(slotsInUse(dataplane)).toBe(0);
  });

  it("also within a train", () => {
    const { underlay, taps, loop, counters, dataplane } = several(VNIS);
    const frames = Array.from({ length: 12 }, (_, i) => frame({ payload: 100, sourcePort: 1000 + i }));
    const vniOf = (i: number): number => VNIS[Math.floor(i / 2) % 3]!;
    const packets = frames.map((bytes, i) => vxlan(bytes, vniOf(i)));
    underlay.bring(join(packets), packets[0]!.length);
    while (loop.turn() > 0 || !loop.idle);
    taps.forEach((tap, place) => {
      expect(tap.outgoing).toEqual(frames.filter((_, i) => vniOf(i) === VNIS[place]));
    });
    expect(counters.map((one) => one.get("rxDatagrams"))).toEqual([1, 0, 0]);
    expect(slotsInUse(dataplane)).toBe(0);
  });

  it("a VNI of nobody's is counted by the first, within a train or not", () => {
    const { underlay, taps, loop, counters, dataplane } = several(VNIS);
    const [mine, nobodys] = [vxlan(frame(), 70), vxlan(frame(), 71)];
    underlay.bring(nobodys);
    underlay.bring(join([mine, nobodys, mine, nobodys]), mine.length);
    underlay.bring(Uint8Array.of(8, 0, 0));
    while (loop.turn() > 0 || !loop.idle);
    expect(counters.map((one) => one.drops("rx", "VXLAN_VNI_NOT_FOUND"))).toEqual([3, 0, 0]);
    expect(counters[0]!.drops("rx", "PKT_TOO_SMALL")).toBe(1);
    expect(taps.map((tap) => tap.outgoing.length)).toEqual([0, 2, 0]);
    expect(slotsInUse(dataplane)).toBe(0);
  });

  it("a mixed train of more packets than any kernel makes is cut at 128", () => {
    const { underlay, taps, loop, counters } = several(VNIS);
    const packets = Array.from({ length: 130 }, (_, i) => vxlan(frame({ payload: 1 }), VNIS[i % 2]));
    underlay.bring(join(packets), packets[0]!.length);
    while (loop.turn() > 0 || !loop.idle);
    expect(taps.map((tap) => tap.outgoing.length)).toEqual([64, 64, 0]);
    expect(counters[0]!.drops("rx", "PKT_TOO_BIG")).toBe(2);
  });

  it("never continues a packet of another's: only segments of one VNI are joined", () => {
    const offloads = { ...everyOffload(false), "udp-coalesce": true };
    const { underlay, taps, loop, counters } = several(VNIS, { offloads });
    const packet = (place: number): Uint8Array => vxlan(frame({ payload: 200 }), VNIS[place]);
    for (const place of [0, 0, 0, 1, 1, 0, 1, 0]) underlay.bring(packet(place));
    while (loop.turn() > 0 || !loop.idle);
    expect(taps.map((tap) => tap.outgoing.length)).toEqual([5, 3, 0]);
    expect(counters.map((one) => one.get("rxFrames"))).toEqual([5, 3, 0]);
    expect(counters[0]!.get("rxCoalesced")).toBeGreaterThan(0);
  });
});

describe("VniTable", () => {
  it("finds a thousand, and nothing else", () => {
    const vnis = Array.from({ length: 1000 }, (_, i) => (i * 16_381) & 0xffffff);
    const table = new VniTable(vnis);
    vnis.forEach((vni, place) => {
      expect(table.find(vni)).toBe(place);
    });
    expect([5, 7, 0xfffffe].map((vni) => table.find(vni))).toEqual([-1, -1, -1]);
    expect(() => new VniTable([1, 2, 1])).toThrow(RangeError);
  });
});
