import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encode } from "../../src/wire/encode.ts";
import { Location, locate, locateUsual } from "../../src/wire/flow.ts";
import { decodePacket } from "../../src/wire/packet.ts";
import { VLAN } from "../../src/wire/vlan.ts";
import { isHeader } from "../../src/wire/walk.ts";
import { concat, ethernet, ipv4, ipv6, PING_FRAME, udp } from "./frames.ts";
import { JUMBO, SAMPLES, UDP6 } from "./samples.ts";

const L4 = /^(udp|tcp$|icmp|nd-(router|neighbour)-)/;

/** The same question to the generic decoder: which part is the first of these tables, outside any tunnel? */
function partAt(bytes: Uint8Array, matches: (table: string) => boolean): number {
  const found = decodePacket(bytes, { vxlanPorts: [] }).parts.find(
    (part) => isHeader(part) && !part.quoted && matches(part.table.name),
  );
  return found?.at ?? 0;
}

function located(bytes: Uint8Array, at = 0, length = bytes.length - at): Location {
  const out = new Location();
  locate(bytes, at, length, out);
  return out;
}

describe("locate", () => {
  it("finds the layers of the study's ping", () => {
    expect(located(PING_FRAME)).toEqual({
      etherType: 0x0800,
      l3At: 14,
      version: 4,
      tos: 0,
      totalLength: 84,
      protocol: 1,
      fragment: false,
      l4At: 34,
      l4Length: 64,
    });
  });

  it.each(Object.entries(SAMPLES))("agrees with the generic decoder: %s", (_, frame) => {
    const out = located(frame);
    expect(out.l3At).toBeGreaterThan(0);
    const ipAt = partAt(frame, (table) => table === "ipv4" || table === "ipv6");
    if (out.version !== 0) expect(out.l3At).toBe(ipAt);
    else expect(ipAt).toBe(0);
    const l4At = out.fragment ? 0 : partAt(frame, (table) => L4.test(table));
    expect(out.l4At).toBe(l4At);
    if (out.l4At > 0) expect(out.l4At + out.l4Length).toBe(out.l3At + out.totalLength);
  });

  it("finds the same at any place of a buffer, and forgets the frame before", () => {
    const out = new Location();
    locate(UDP6, 0, UDP6.length, out);
    for (const frame of Object.values(SAMPLES)) {
      const buffer = concat(new Uint8Array(7).fill(0xa5), frame, new Uint8Array(99).fill(0xa5));
      locate(buffer, 7, frame.length, out);
      const expected = located(frame);
      const shift = (place: number) => (place > 0 ? place + 7 : 0);
      expect(out).toEqual({ ...expected, l3At: shift(expected.l3At), l4At: shift(expected.l4At) });
    }
  });

  it("looks behind two VLAN tags, not three", () => {
    const inner = ipv4(17, udp(new Uint8Array(4)), { dscp: 46, ecn: 1 });
    const tags = (n: number) => {
      const outer = Array.from({ length: n }, (_, i) =>
        encode(VLAN, { etherType: i < n - 1 ? 0x8100 : 0x0800 }),
      );
      return located(ethernet(n > 0 ? 0x8100 : 0x0800, concat(...outer, inner)));
    };
    expect(tags(0)).toMatchObject({ l3At: 14, l4At: 34, tos: 0xb9 });
    expect(tags(1)).toMatchObject({ l3At: 18, l4At: 38, tos: 0xb9 });
    expect(tags(2)).toMatchObject({ l3At: 22, l4At: 42, tos: 0xb9 });
    expect(tags(3)).toMatchObject({ l3At: 22, version: 0, etherType: 0x8100 });
  });

  it.each([
    ["total length beyond the frame", ipv4(17, udp(new Uint8Array(4)), { totalLength: 33 }), 33],
    ["total length less than the headers", ipv4(17, udp(new Uint8Array(4)), { totalLength: 27 }), 27],
  ])("has no layer 4 for an IPv4 packet with %s", (_, packet, totalLength) => {
    expect(located(ethernet(0x0800, packet))).toMatchObject({
      version: 4,
      totalLength,
      l4At: 0,
      l4Length: 0,
    });
  });

  it.each([
    ["header length below 5", ipv4(17, udp(new Uint8Array(4)), { headerLength: 4 })],
    ["total length below the header", ipv4(17, udp(new Uint8Array(4)), { totalLength: 19 })],
    ["version 5", ipv4(17, udp(new Uint8Array(4)), { version: 5 })],
  ])("takes an IPv4 packet with %s for no IP", (_, packet) => {
    expect(located(ethernet(0x0800, packet))).toMatchObject({ version: 0, protocol: -1, l4At: 0, l3At: 14 });
  });

  it("RFC 2675: has no layer 4 for a jumbo payload, whose length is elsewhere", () => {
    expect(located(JUMBO)).toMatchObject({ version: 6, totalLength: 40, l4At: 0 });
  });

  it("RFC 6946: takes an IPv6 atomic fragment for a whole packet", () => {
    const fragmentHeader = Uint8Array.of(17, 0, 0, 0, 1, 2, 3, 4);
    const frame = ethernet(0x86dd, ipv6(44, concat(fragmentHeader, udp(new Uint8Array(4)))));
    expect(located(frame)).toMatchObject({ fragment: false, protocol: 17, l4At: 62, l4Length: 12 });
  });

  const headers = fc.constantFrom(...Object.values(SAMPLES));
  const frames = fc.oneof(
    fc.uint8Array({ maxLength: 120 }),
    // sound frames with a few bytes changed and the end cut off get further than noise does
    fc
      .tuple(headers, fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 3 }), fc.nat(200))
      .map(([frame, changes, length]) => {
        const bytes = frame.slice(0, length);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        return bytes;
      }),
  );

  it("locateUsual knows the usual frame, says the same of it, and leaves all others to locate", () => {
    let known = 0;
    const check = (frame: Uint8Array, before: number): void => {
      const bytes = concat(new Uint8Array(before), frame, new Uint8Array(64).fill(0x45));
      const out = new Location();
      const untouched = { ...out };
      if (locateUsual(new DataView(bytes.buffer), before, frame.length, out)) {
        known++;
        expect(out).toEqual(located(bytes, before, frame.length));
      } else expect({ ...out }).toEqual(untouched);
    };
    for (const frame of Object.values(SAMPLES)) check(frame, 3);
    expect(known).toBeGreaterThan(0);
    fc.assert(fc.property(frames, fc.nat(5), check), { numRuns: 2000 });
    const payload = new Uint8Array(100);
    for (const [protocol, l4] of [
      [17, udp(payload)],
      [6, concat(Uint8Array.of(0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 16, 0, 0, 0, 0, 0, 0), payload)],
    ] as const) {
      const frame = ethernet(0x0800, ipv4(protocol, l4));
      expect(locateUsual(new DataView(frame.buffer), 0, frame.length, new Location()), `${protocol}`).toBe(
        true,
      );
    }
  });

  it("reads nothing outside its bytes, whatever they are", () => {
    fc.assert(
      fc.property(frames, fc.nat(5), (frame, before) => {
        const end = before + frame.length;
        const outside: number[] = [];
        const bytes = concat(new Uint8Array(before), frame, new Uint8Array(64));
        const guarded = new Proxy(bytes, {
          get(target, key) {
            const index = typeof key === "string" ? Number(key) : Number.NaN;
            if (Number.isInteger(index) && (index < before || index >= end)) outside.push(index);
            return Reflect.get(target, key);
          },
        });
        const out = new Location();
        locate(guarded, before, frame.length, out);
        expect(outside).toEqual([]);
        expect(out.l3At === 0 || out.l3At <= end).toBe(true);
        if (out.version !== 0) expect(out.l3At + (out.version === 4 ? 20 : 40)).toBeLessThanOrEqual(end);
        if (out.l4At !== 0) {
          expect(out.l4At).toBeGreaterThan(out.l3At);
          expect(out.l4Length).toBeGreaterThanOrEqual(4);
          expect(out.l4At + out.l4Length).toBeLessThanOrEqual(end);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
