import { describe, expect, it, vi } from "vitest";
import { RateLimit } from "../../src/dataplane/rate-limit.ts";
import { parseMac } from "../../src/wire/bytes.ts";
import { checksumsRight, frame, MAC_B, vxlan } from "./frames.ts";
import { Stages } from "./stages.ts";

const ZERO = "00:00:00:00:00:00";
const BROADCAST = "ff:ff:ff:ff:ff:ff";
const NEEDS_CSUM = [1, 0, 0, 0, 0, 0, 34, 0, 6, 0, 0, 0];

/** Stages that flood to `count` VTEPs. */
function flooding(count: number, options: ConstructorParameters<typeof Stages>[0] = {}) {
  const s = new Stages(options, { sourcePort: false });
  const vteps = Array.from({ length: count }, (_, i) => s.append(ZERO, [172, 19, i >> 8, i & 255]));
  return { s, vteps };
}

describe("flooding", () => {
  it.each([
    ["broadcast", BROADCAST],
    ["multicast", "01:00:5e:00:00:fb"],
    ["unknown unicast", "02:00:00:00:00:99"],
  ])("sends %s to every VTEP, in order, over the same bytes", (_, dst) => {
    const { s, vteps } = flooding(3);
    const inner = frame({ dst });
    const outputs = s.transmit({ bytes: inner });
    expect(outputs.map(({ peer }) => peer)).toEqual(vteps);
    for (const { body } of outputs) expect(body).toEqual(vxlan(inner));
    expect([s.counters.get("txFrames"), s.counters.get("txFlooded")]).toEqual([3, 1]);
    expect(s.counters.get("txBytes")).toBe(3 * inner.length);
    expect(s.leaked).toBe(0);
  });

  it("sends what has a row to its VTEP alone, and a group that has one to that group's", () => {
    const { s } = flooding(2);
    const one = s.peer(MAC_B, [172, 19, 9, 9]);
    const group = s.append("01:00:5e:00:00:fb", [172, 19, 8, 8]);
    const outputs = s.transmit({ bytes: frame() }, { bytes: frame({ dst: "01:00:5e:00:00:fb" }) });
    expect(outputs.map(({ peer }) => peer)).toEqual([one, group]);
    expect(s.leaked).toBe(0);
  });

  it("finishes a checksum once", () => {
    const { s } = flooding(3);
    const inner = frame({ dst: BROADCAST, checksum: "partial" });
    const outputs = s.transmit({ bytes: inner, vnet: NEEDS_CSUM });
    expect(outputs).toHaveLength(3);
    for (const { body } of outputs) expect(checksumsRight(body.subarray(8))).toBe(true);
  });

  it("cuts a super-frame for each VTEP, and counts it once", () => {
    const { s, vteps } = flooding(2);
    const vnet = [1, 1, 54, 0, 0xe8, 3, 34, 0, 16, 0, 0, 0]; // TCPv4, 1000 bytes per segment
    const inner = frame({ protocol: "tcp", payload: 2500, checksum: "partial", dst: BROADCAST });
    const outputs = s.transmit({ bytes: inner, vnet });
    expect(outputs.map(({ peer }) => peer)).toEqual([...Array(3).fill(vteps[0]), ...Array(3).fill(vteps[1])]);
    expect(outputs.slice(0, 3).map(({ body }) => body)).toEqual(outputs.slice(3).map(({ body }) => body));
    expect(outputs.map(({ body }) => body.length - 8 - 54)).toEqual([1000, 1000, 500, 1000, 1000, 500]);
    expect(s.counters.get("txSuperFrames")).toBe(1);
    expect(s.leaked).toBe(0);
  });

  it("waits for room between two copies, and sends each once, whatever changes meanwhile", () => {
    const { s, vteps } = flooding(3000); // more than the ring has rows
    const inner = frame({ dst: "02:00:00:00:00:99", checksum: "partial" });
    const peers = s.transmit({ bytes: inner, vnet: NEEDS_CSUM }).map(({ peer }) => peer);
    expect(peers.length).toBeLessThan(3000);
    expect(s.leaked).toBe(1);
    // The MAC is learned in between, and a VTEP that was still to come goes: the frame goes on to the others.
    s.peer("02:00:00:00:00:99", [172, 19, 99, 9]);
    s.encap.forget(vteps[2999]!);
    while (s.leaked > 0) {
      for (const { peer, body } of s.transmit()) {
        peers.push(peer);
        expect(checksumsRight(body.subarray(8))).toBe(true);
      }
    }
    expect(peers).toEqual([...vteps.slice(0, -1), 0]);
    expect(s.counters.get("txFlooded")).toBe(1);
  });

  it("drops as FLOOD_LIMIT what is more than so many a second, and not what has a row", () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    try {
      const { s } = flooding(1, { floodRate: 10 });
      s.peer(MAC_B, [172, 19, 9, 9]);
      const many = Array.from({ length: 30 }, () => ({ bytes: frame({ dst: BROADCAST }) }));
      expect(s.transmit(...many, { bytes: frame() })).toHaveLength(11);
      expect(s.drops("tx", "FLOOD_LIMIT")).toBe(20);
      vi.advanceTimersByTime(500);
      expect(s.transmit(...many)).toHaveLength(5);
      expect(s.leaked).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it("is not there without a row for 00:00:00:00:00:00: NO_TX_TARGET, also for a super-frame", () => {
    const s = new Stages();
    const vnet = [1, 1, 54, 0, 0xe8, 3, 34, 0, 16, 0, 0, 0];
    const inner = frame({ protocol: "tcp", payload: 2500, checksum: "partial" });
    expect(s.transmit({ bytes: frame({ dst: BROADCAST }) }, { bytes: inner, vnet })).toEqual([]);
    expect(s.drops("tx", "NO_TX_TARGET")).toBe(2);
    expect(s.leaked).toBe(0);
    const { hi, lo } = parseMac(ZERO);
    expect(s.fdb.lookup(1, hi, lo)).toBe(-1);
  });

  it("does not touch what queued copies point to when tags are to be stripped from now on", () => {
    const { s } = flooding(3000);
    const tagged = frame({ dst: BROADCAST, vlan: 7 });
    const bodies = s.transmit({ bytes: tagged }).map(({ body }) => body);
    s.encap.setPolicy({ tos: 0, vlan: "rfc" });
    while (s.leaked > 0) bodies.push(...s.transmit().map(({ body }) => body));
    expect(bodies).toHaveLength(3000);
    for (const body of bodies) expect(body).toEqual(vxlan(tagged));
  });

  it("to one VTEP is the unicast path: a packet too long for it is answered, a limit counts both", () => {
    const { s, vteps } = flooding(1, { floodRate: 10 });
    s.limit("172.19.0.0", 1000, ...vteps);
    const long = frame({ payload: 1200 });
    long[20] = 0x40; // DF
    expect(s.transmit({ bytes: long })).toEqual([]);
    expect(s.answered()).toHaveLength(1);
    const outputs = s.transmit(...Array.from({ length: 20 }, () => ({ bytes: frame() })));
    expect(outputs).toHaveLength(9);
    expect(outputs[0]!.peer).toBe(vteps[0]);
    expect(s.drops("tx", "FLOOD_LIMIT")).toBe(11);
    expect(s.leaked).toBe(0);
  });
});

describe("RateLimit", () => {
  it("lets so many through at once, also after a long time without any", () => {
    let now = 0;
    const limit = new RateLimit(() => now);
    const passed = (tries: number) =>
      Array.from({ length: tries }, () => limit.take()).filter(Boolean).length;
    limit.set(1000);
    now += 60_000;
    expect(passed(5000)).toBe(1000);
    now += 100;
    expect(passed(5000)).toBe(100);
    limit.set(1000, 50);
    now += 60_000;
    expect(passed(5000)).toBe(50);
    limit.giveBack();
    expect(passed(5)).toBe(1);
    limit.set(0);
    expect(passed(10_000)).toBe(10_000);
  });
});
