import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Counters } from "../../src/dataplane/counters.ts";
import { everyOffload } from "../../src/dataplane/offloads.ts";
import { TRUNCATED } from "../../src/dataplane/ring.ts";
import { checksumsRight, frame, MAC_A, ones, vxlan } from "./frames.ts";
import { OWN_MAC, type Received, Stages } from "./stages.ts";

const PEER_A = [172, 19, 0, 3];
const PEER_V6 = [0xfd, ...new Array(14).fill(0), 1];
const STRANGER_V6 = [0xfd, ...new Array(14).fill(0), 9];
const ZEROS = new Uint8Array(12);

function stages(...parameters: ConstructorParameters<typeof Stages>): Stages {
  const made = new Stages(...parameters);
  made.peer(MAC_A, PEER_A);
  return made;
}

function le16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

describe("decap", () => {
  it("takes the eight bytes away and leaves the frame as it was", () => {
    const s = stages();
    const inner = frame({ protocol: "icmp", payload: 56 });
    const [out] = s.receive({ bytes: vxlan(inner) });
    expect(out!.body).toEqual(inner);
    expect(out!.head).toEqual(ZEROS);
    expect(s.counters.get("rxFrames")).toBe(1);
    expect(s.counters.get("rxBytes")).toBe(98);
    expect(s.leaked).toBe(0);
  });

  describe("refuses, each under its own reason, and lets the next packet through", () => {
    const good = vxlan(frame());
    const cases: [string, Parameters<Counters["drops"]>[1], Uint8Array, object][] = [
      ["shorter than a VXLAN header", "PKT_TOO_SMALL", good.subarray(0, 7), {}],
      ["nothing at all", "PKT_TOO_SMALL", new Uint8Array(0), {}],
      ["the I flag clear", "VXLAN_INVALID_HDR", vxlan(frame(), 1, 0x00), {}],
      ["another VNI", "VXLAN_VNI_NOT_FOUND", vxlan(frame(), 2), {}],
      ["a VNI that differs in its highest byte", "VXLAN_VNI_NOT_FOUND", vxlan(frame(), 0x010001), {}],
      [
        "a reserved flag, when `linux`",
        "VXLAN_RESERVED_BITS",
        vxlan(frame(), 1, 0x88),
        { reservedBits: "linux" },
      ],
      ["an inner frame of 13 bytes", "INNER_TOO_SMALL", good.subarray(0, 8 + 13), {}],
      ["no inner frame", "INNER_TOO_SMALL", good.subarray(0, 8), {}],
      ["our own MAC as inner source", "LOCAL_MAC", vxlan(frame({ src: OWN_MAC })), {}],
      ["more than the MTU, and no super-frame", "PKT_TOO_BIG", vxlan(frame({ payload: 1423 })), {}],
    ];
    it.each(cases)("%s: %s", (_name, reason, bytes, options) => {
      const s = stages(options);
      const outputs = s.receive({ bytes }, { bytes: good });
      expect(outputs.map((out) => out.body)).toEqual([frame()]);
      expect(s.counters.snapshot().drops).toEqual({ tx: {}, rx: { [reason]: 1 } });
      expect(s.leaked).toBe(0);
    });
  });

  it("ignores every reserved bit by default (RFC 7348 section 5), and drops each with `linux`", () => {
    const places = [0, 0, 0, 0, 0, 0, 0].map((_, bit) => [0, bit < 3 ? 1 << bit : 1 << (bit + 1)] as const);
    for (const [at, mask] of [...places, [1, 1], [1, 128], [2, 64], [3, 1], [7, 1], [7, 128]] as const) {
      const bytes = vxlan(frame());
      bytes[at]! |= mask;
      expect(stages().receive({ bytes })).toHaveLength(1);
      const strict = stages({ reservedBits: "linux" });
      expect(strict.receive({ bytes })).toHaveLength(0);
      expect(strict.drops("rx", "VXLAN_RESERVED_BITS")).toBe(1);
    }
  });

  describe("senderCheck", () => {
    const stranger = [172, 19, 0, 99];
    it("strict: only a known VTEP's address, whatever the port or the inner MAC", () => {
      const s = stages();
      expect(s.receive({ bytes: vxlan(frame()), from: stranger })).toHaveLength(0);
      expect(s.drops("rx", "UNKNOWN_VTEP")).toBe(1);
      expect(s.receive({ bytes: vxlan(frame({ src: "02:00:00:00:00:77" })) })).toHaveLength(1);
    });

    it("mac: a known VTEP's MAC from any address, counted when it is another one", () => {
      const s = stages({ senderCheck: "mac" });
      expect(s.receive({ bytes: vxlan(frame()), from: stranger })).toHaveLength(1);
      expect(s.counters.get("rxSenderMismatch")).toBe(1);
      expect(s.receive({ bytes: vxlan(frame()) })).toHaveLength(1);
      expect(s.counters.get("rxSenderMismatch")).toBe(1);
      expect(s.receive({ bytes: vxlan(frame({ src: "02:00:00:00:00:77" })) })).toHaveLength(0);
      expect(s.drops("rx", "UNKNOWN_VTEP")).toBe(1);
    });

    it("off: anybody; and it can change while packets flow", () => {
      const s = stages({ senderCheck: "off" });
      const spoofed = { bytes: vxlan(frame({ src: "02:00:00:00:00:77" })), from: stranger };
      expect(s.receive(spoofed)).toHaveLength(1);
      expect(s.receive({ bytes: vxlan(frame()) })).toHaveLength(1);
      expect(s.counters.get("rxSenderMismatch")).toBe(1);
      s.decap.setPolicy({ senderCheck: "strict", reservedBits: "rfc" });
      expect(s.receive(spoofed)).toHaveLength(0);
    });
  });

  describe("ECN (RFC 6040 section 4.2)", () => {
    // rows: inner Not-ECT, ECT(1), ECT(0), CE; columns: outer the same; −1 is a drop
    const table = [
      [0, 0, 0, -1],
      [1, 1, 1, 3],
      [2, 1, 2, 3],
      [3, 3, 3, 3],
    ];
    it.each([4, 6] as const)("all sixteen pairs over IPv%i; the IPv4 checksum stays right", (version) => {
      for (let inner = 0; inner < 4; inner++) {
        for (let outer = 0; outer < 4; outer++) {
          const s = stages();
          const outputs = s.receive({
            bytes: vxlan(frame({ version, tos: 0xa0 | inner })),
            tos: 0x48 | outer,
          });
          const wanted = table[inner]![outer]!;
          if (wanted < 0) {
            expect(outputs).toEqual([]);
            expect(s.drops("rx", "IP_TUNNEL_ECN")).toBe(1);
          } else {
            expect(outputs[0]!.body).toEqual(frame({ version, tos: 0xa0 | wanted }));
          }
        }
      }
    });

    it("lets what is no IP pass, congestion or not", () => {
      const arp = frame();
      arp.set([0x08, 0x06], 12);
      expect(stages().receive({ bytes: vxlan(arp), tos: 3 })[0]!.body).toEqual(arp);
    });
  });

  describe("what a kernel VXLAN device on a veth leaves unfinished", () => {
    it.each([
      ["tcp", 4, 34, 16],
      ["tcp", 6, 54, 16],
      ["udp", 4, 34, 6],
      ["udp", 6, 54, 6],
    ] as const)(
      "a partial %s checksum over IPv%i goes to the TAP with NEEDS_CSUM",
      (protocol, version, start, offset) => {
        const s = stages();
        const inner = frame({ protocol, version, checksum: "partial" });
        const [out] = s.receive({ bytes: vxlan(inner) });
        expect([...out!.head]).toEqual([1, 0, 0, 0, 0, 0, start, 0, offset, 0, 0, 0]);
        expect(out!.body).toEqual(inner);
        expect(s.counters.get("rxPartialChecksums")).toBe(1);
      },
    );

    it("a finished, an absent or a wrong checksum goes as it is: the receiver judges", () => {
      for (const checksum of ["full", "none", "bad"] as const) {
        const s = stages();
        expect(s.receive({ bytes: vxlan(frame({ checksum })) })[0]!.head).toEqual(ZEROS);
      }
    });

    it.each([
      [4, 0, 1, 1410],
      [4, 12, 1, 1398],
      [6, 0, 4, 1390],
    ] as const)(
      "a TCP super-frame over IPv%i, %i bytes of options: gso_type %i, MSS %i",
      (version, tcpOptions, type, mss) => {
        for (const checksum of ["partial", "full"] as const) {
          const s = stages();
          const inner = frame({ protocol: "tcp", version, tcpOptions, payload: 40_000, checksum });
          const [out] = s.receive({ bytes: vxlan(inner) });
          const l4 = version === 4 ? 34 : 54;
          expect(out!.head[0]).toBe(1);
          expect(out!.head[1]).toBe(type);
          expect(le16(out!.head, 2)).toBe(l4 + 20 + tcpOptions);
          expect(le16(out!.head, 4)).toBe(mss);
          expect(le16(out!.head, 6)).toBe(l4);
          expect(out!.body).toEqual(
            frame({ protocol: "tcp", version, tcpOptions, payload: 40_000, checksum: "partial" }),
          );
          expect(s.counters.get("rxSuperFrames")).toBe(1);
        }
      },
    );

    it("with CWR set says so, since only the first segment may keep it (RFC 3168 section 6.1.2)", () => {
      const inner = frame({ protocol: "tcp", payload: 9000, checksum: "partial", tcpFlags: 0x90 });
      expect(stages().receive({ bytes: vxlan(inner) })[0]!.head[1]).toBe(0x81);
    });

    it("behind a VLAN tag: every offset four more", () => {
      const inner = frame({ protocol: "tcp", payload: 9000, checksum: "partial", vlan: 9 });
      const { head } = stages().receive({ bytes: vxlan(inner) })[0]!;
      expect([head[1], le16(head, 2), le16(head, 4), le16(head, 6)]).toEqual([1, 58, 1410, 38]);
    });

    it("a super-frame with a finished but wrong checksum is dropped as INNER_CSUM", () => {
      const s = stages();
      expect(s.receive({ bytes: vxlan(frame({ protocol: "tcp", payload: 9000, checksum: "bad" })) })).toEqual(
        [],
      );
      expect(s.drops("rx", "INNER_CSUM")).toBe(1);
      expect(s.leaked).toBe(0);
    });

    it("a pod's UDP_SEGMENT send: the GRO size is the inner payload's, also when all of it is below the MTU", () => {
      for (const [payload, segment] of [
        [12_000, 1200],
        [900, 300],
      ] as const) {
        const s = stages();
        const inner = frame({ protocol: "udp", payload, checksum: "partial" });
        const outputs = s.receive({ bytes: vxlan(inner), segment });
        expect(outputs).toHaveLength(1);
        expect(outputs[0]!.head[1]).toBe(5);
        expect(le16(outputs[0]!.head, 4)).toBe(segment);
      }
    });

    it("an IPv6 super-frame without UDP checksum is none (RFC 8200 section 8.1)", () => {
      const s = stages();
      const inner = frame({ version: 6, payload: 12_000, checksum: "none" });
      expect(s.receive({ bytes: vxlan(inner), segment: 1200 })).toEqual([]);
      expect(s.drops("rx", "INNER_CSUM")).toBe(1);
    });

    it("a UDP super-frame whose segment size nobody knows is dropped as PKT_TOO_BIG", () => {
      const s = stages();
      expect(s.receive({ bytes: vxlan(frame({ payload: 12_000, checksum: "partial" })) })).toEqual([]);
      expect(s.drops("rx", "PKT_TOO_BIG")).toBe(1);
    });
  });

  describe("a UDP_GRO train", () => {
    function train(...payloads: number[]): { bytes: Uint8Array; segment: number } {
      const packets = payloads.map((payload, i) => vxlan(frame({ payload, sourcePort: 2000 + i })));
      return { bytes: Uint8Array.from(packets.flatMap((p) => [...p])), segment: packets[0]!.length };
    }

    it("becomes its frames in order, the last one shorter; one slot for all, given back once", () => {
      const s = stages();
      const outputs = s.receive(train(500, 500, 500, 20));
      expect(outputs.map((o) => o.body)).toEqual(
        [500, 500, 500, 20].map((payload, i) => frame({ payload, sourcePort: 2000 + i })),
      );
      expect(s.leaked).toBe(0);
      expect(s.counters.get("rxFrames")).toBe(4);
    });

    it("of more packets than any kernel joins is cut short, and the rest counted", () => {
      const s = stages();
      const outputs = s.receive({ bytes: new Uint8Array(300).fill(8), segment: 2 });
      expect(outputs).toEqual([]);
      expect(s.drops("rx", "PKT_TOO_SMALL")).toBe(128);
      expect(s.drops("rx", "PKT_TOO_BIG")).toBe(22);
      expect(s.leaked).toBe(0);
    });

    it("with bad packets in it loses those only, and no slot, also when the last or all are bad", () => {
      for (const bad of [[0], [3], [0, 1, 2, 3], [1, 3]]) {
        const s = stages();
        const one = train(500, 500, 500, 500);
        for (const i of bad) one.bytes[i * one.segment] = 0;
        expect(s.receive(one)).toHaveLength(4 - bad.length);
        expect(s.drops("rx", "VXLAN_INVALID_HDR")).toBe(bad.length);
        expect(s.leaked).toBe(0);
      }
    });
  });

  it("leaves datagrams in the ring that the ready ring has no room for", () => {
    const s = stages();
    const { ready, filled } = s;
    while (ready.room > 100) ready.push(-1, 0, 0);
    expect(s.receive({ bytes: vxlan(frame()) }).length).toBe(ready.capacity - 100);
    expect(filled.length).toBe(1);
    s.decap.run(filled, ready);
    expect([filled.length, ready.length]).toEqual([0, 1]);
  });

  it("survives any bytes: no throw, no leak, every datagram a frame or a counted drop", () => {
    let seed = 1;
    const random = (): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) | 0;
      return (seed >>> 16) & 0xff;
    };
    const s = stages({ senderCheck: "off" });
    let frames = 0;
    for (let i = 0; i < 3000; i++) {
      const bytes = Uint8Array.from({ length: (random() << 3) | random() }, random);
      // Half of them get a valid start, so that the later checks see random bytes too.
      if (i % 2 === 0) bytes.set(vxlan(frame({ protocol: "tcp" })).subarray(0, Math.min(40, bytes.length)));
      frames += s.receive({ bytes, segment: i % 3 === 0 ? random() : 0, tos: random() }).length;
      expect(s.leaked).toBe(0);
    }
    expect(frames).toBe(s.counters.get("rxFrames"));
    expect(frames).toBeGreaterThan(100);
  });

  it("does with usual packets in its short loop what it does with any", () => {
    const usual = fc.record({
      version: fc.constantFrom<4 | 6>(4, 4, 4, 6),
      protocol: fc.constantFrom("tcp" as const, "tcp" as const, "udp" as const, "icmp" as const),
      payload: fc.oneof(fc.constantFrom(0, 1400, 1422, 1423), fc.nat(300)),
      tos: fc.nat(3),
      checksum: fc.constantFrom("full" as const, "full" as const, "partial" as const, "none" as const),
      src: fc.constantFrom(MAC_A, MAC_A, MAC_A, OWN_MAC),
    });
    const packet = fc.record({
      bytes: fc
        .tuple(usual, fc.constantFrom(1, 1, 1, 2), fc.constantFrom(0x08, 0x08, 0x08, 0x88, 0))
        .map(([options, vni, flags]) => vxlan(frame(options), vni, flags)),
      changes: fc.array(fc.tuple(fc.nat(70), fc.nat(255)), { maxLength: 1 }),
      cut: fc.constantFrom(0, 0, 0, 1, 20, 40),
      from: fc.constantFrom(PEER_A, PEER_A, PEER_A, [172, 19, 0, 4], PEER_V6, STRANGER_V6),
      tos: fc.oneof({ weight: 9, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.constant(TRUNCATED) }),
    });
    const policies = fc.record({
      senderCheck: fc.constantFrom("strict" as const, "strict" as const, "mac" as const, "off" as const),
      reservedBits: fc.constantFrom("rfc" as const, "linux" as const),
      offloads: fc.boolean().map(everyOffload),
      gbp: fc.constantFrom(null, { group: 0, dontLearn: false, applied: false }),
      vlan: fc.constantFrom("pass" as const, "rfc" as const),
    });
    fc.assert(
      fc.property(policies, fc.array(packet, { minLength: 1, maxLength: 12 }), (policy, packets) => {
        const received = packets.map(({ bytes, changes, cut, from, tos }): Received => {
          const changed = bytes.slice(0, Math.max(0, bytes.length - cut));
          for (const [at, value] of changes) if (at < changed.length) changed[at] = value;
          return { bytes: changed, from, tos };
        });
        const [short, long] = [stages(policy), stages(policy)];
        for (const s of [short, long]) s.peer("02:00:00:00:00:0d", PEER_V6);
        const outputs = short.receive(...received);
        // A receive that says that it is a train, though of one packet, does not go through that loop.
        expect(outputs).toEqual(
          long.receive(...received.map((one) => ({ ...one, segment: one.bytes.length }))),
        );
        expect(short.counters.snapshot()).toEqual(long.counters.snapshot());
        expect(short.decap.lastGroup).toEqual(long.decap.lastGroup);
        expect([short.leaked, long.leaked]).toEqual([0, 0]);
      }),
      { numRuns: 400 },
    );
  });

  it("the frames of the tests carry the checksums they claim", () => {
    expect(checksumsRight(frame({ protocol: "tcp", payload: 33 }))).toBe(true);
    expect(checksumsRight(frame({ protocol: "tcp", payload: 33, checksum: "bad" }))).toBe(false);
    expect(ones(frame().subarray(14, 34))).toBe(0xffff);
  });
});
