/** What an outer header takes over from the inner one, VLAN tags and group policies, in both stages. */
import { describe, expect, it } from "vitest";
import { everyOffload } from "../../src/dataplane/offloads.ts";
import { putU16, u16 } from "../../src/wire/bytes.ts";
import { updateChecksum } from "../../src/wire/checksum.ts";
import { type FrameOptions, frame, MAC_A, MAC_B, vxlan } from "./frames.ts";
import { type Output, Stages } from "./stages.ts";

const PEER_B = [172, 19, 0, 3];
/** Where the IP header of an untagged frame starts. */
const IP = 14;

function stages(...parameters: ConstructorParameters<typeof Stages>): Stages {
  const made = new Stages(...parameters);
  for (const mac of [MAC_A, MAC_B]) made.peer(mac, PEER_B);
  return made;
}

/** A frame with another TTL (hop limit) and, over IPv4, without DF where `df` is false. Its checksum stays right. */
function inner(options: FrameOptions, ttl: number, df = true): Uint8Array {
  const bytes = frame(options);
  const at = IP + (options.vlan === undefined ? 0 : 4);
  if (options.version === 6) {
    bytes[at + 7] = ttl;
    return bytes;
  }
  const word = (offset: number, value: number): void => {
    putU16(bytes, at + 10, updateChecksum(u16(bytes, at + 10), u16(bytes, at + offset), value));
    putU16(bytes, at + offset, value);
  };
  word(8, (ttl << 8) | bytes[at + 9]!);
  word(6, df ? 0x4000 : 0);
  return bytes;
}

/** A TCP super-frame as the TAP hands it over. */
function superFrame(segments: number, vlan?: number) {
  const payload = segments * 1000;
  const bytes = frame({
    protocol: "tcp",
    payload,
    checksum: "partial",
    ...(vlan === undefined ? {} : { vlan }),
  });
  const l4 = 34 + (vlan === undefined ? 0 : 4);
  return { bytes, vnet: [1, 1, l4 + 20, 0, 1000 & 0xff, 1000 >> 8, l4, 0, 16, 0, 0, 0] };
}

describe("ttl inherit (ip_tunnel_get_ttl)", () => {
  it("is the inner TTL or hop limit, behind a tag too", () => {
    for (const version of [4, 6] as const) {
      for (const extra of [{}, { vlan: 7 }]) {
        for (const ttl of [1, 64, 127, 128, 255]) {
          const s = stages({ ttl: "inherit" });
          const [out] = s.transmit({ bytes: inner({ version, ...extra }, ttl) });
          expect([out!.ttl, out!.peer]).toEqual([ttl, 1]);
        }
      }
    }
  });

  it("is left to the socket for what is no IP, without the setting, and where the underlay has one for all", () => {
    const arp = frame();
    arp.set([0x08, 0x06], 12);
    expect(stages({ ttl: "inherit" }).transmit({ bytes: arp })[0]!.ttl).toBe(0);
    const bytes = inner({}, 9);
    expect(stages().transmit({ bytes })[0]!.ttl).toBe(0);
    expect(stages({ ttl: "inherit" }, { ttlPerPacket: false }).transmit({ bytes })[0]!.ttl).toBe(0);
  });

  it("is that of all segments of a super-frame, and keeps packets with another one out of their send", () => {
    const s = stages({ ttl: "inherit" }, { gso: true });
    const outputs = s.transmit(superFrame(3));
    expect(outputs.map(({ ttl, message }) => [ttl, message])).toEqual([
      [64, 3],
      [64, 0],
      [64, 0],
    ]);
    const mixed = s.transmit(...[5, 5, 6, 6].map((ttl) => ({ bytes: inner({}, ttl) })));
    expect(mixed.map(({ message }) => message)).toEqual([2, 0, 2, 0]);
  });
});

describe("df inherit (VXLAN_DF_INHERIT)", () => {
  const df = (options: FrameOptions, set: boolean): boolean =>
    stages({ df: "inherit" }).transmit({ bytes: inner(options, 64, set) })[0]!.df;

  it("is the inner IPv4 header's, and set for IPv6", () => {
    for (const protocol of ["udp", "icmp"] as const) {
      expect([df({ protocol }, true), df({ protocol }, false)]).toEqual([true, false]);
    }
    expect(df({ version: 6 }, false)).toBe(true);
    expect(df({ vlan: 5 }, true)).toBe(false); // the kernel does not look behind a tag
  });

  it("is not asked for without the setting, for what is no IP, and where the underlay cannot", () => {
    const arp = frame();
    arp.set([0x08, 0x06], 12);
    expect(stages({ df: "inherit" }).transmit({ bytes: arp })[0]!.df).toBe(false);
    expect(stages().transmit({ bytes: frame() })[0]!.df).toBe(false);
    expect(stages({ df: "inherit" }, { df: false }).transmit({ bytes: frame() })[0]!.df).toBe(false);
  });

  it("leaves TOS and source port as they are, and keeps a flow's packets with another one out of their send", () => {
    const s = stages({ df: "inherit", tos: "inherit" }, { gso: true });
    const outputs = s.transmit(...[true, false].map((set) => ({ bytes: inner({ tos: 0xb8 }, 64, set) })));
    expect(outputs.map((out) => [out.df, out.tos, out.message])).toEqual([
      [true, 0xb8, 1],
      [false, 0xb8, 1],
    ]);
    expect(outputs[0]!.port).toBe(outputs[1]!.port);
  });
});

describe("vlan rfc (RFC 7348 section 6.1)", () => {
  const bodies = (outputs: readonly Output[]) => outputs.map(({ body }) => body);

  it("sends what it would have sent for the frame without its tags", () => {
    const untag = (bytes: Uint8Array) => Uint8Array.from([...bytes.subarray(0, 12), ...bytes.subarray(16)]);
    for (const version of [4, 6] as const) {
      for (const protocol of ["tcp", "udp"] as const) {
        const s = stages({ vlan: "rfc" });
        const bytes = frame({ version, protocol, vlan: 5 });
        const twice = Uint8Array.from([...bytes.subarray(0, 12), 0x88, 0xa8, 0, 9, ...bytes.subarray(12)]);
        const plain = frame({ version, protocol });
        expect(untag(bytes)).toEqual(plain);
        expect(bodies(s.transmit({ bytes }, { bytes: twice }, { bytes: plain }))).toEqual(
          new Array(3).fill(vxlan(plain)),
        );
        expect(s.leaked).toBe(0);
      }
    }
  });

  it("finishes partial checksums and cuts super-frames behind a tag as without it", () => {
    const partial = { protocol: "udp", checksum: "partial" } as const;
    const vnet = (l4: number) => [1, 0, 0, 0, 0, 0, l4, 0, 6, 0, 0, 0];
    const s = stages({ vlan: "rfc" });
    const [tagged, plain] = [
      s.transmit({ bytes: frame({ ...partial, vlan: 5 }), vnet: vnet(38) }),
      s.transmit({ bytes: frame(partial), vnet: vnet(34) }),
    ];
    expect(bodies(tagged)).toEqual(bodies(plain));
    expect(bodies(s.transmit(superFrame(4, 5)))).toEqual(bodies(s.transmit(superFrame(4))));
    expect(s.leaked).toBe(0);
  });

  it("strips once only, where a super-frame has to wait for room", () => {
    const s = stages({ vlan: "rfc" });
    const expected = bodies(s.transmit(superFrame(4)));
    const taken = Array.from({ length: s.ready.room - 2 }, () => s.ready.push(-1, 0, 0));
    expect(s.transmit(superFrame(4, 5))).toHaveLength(taken.length);
    expect(bodies(s.transmit())).toEqual(expected);
    expect(s.leaked).toBe(0);
  });

  it("leaves what ends within its tag to the checks", () => {
    const s = stages({ vlan: "rfc" });
    const cut = frame({ vlan: 5 }).subarray(0, 15);
    expect(bodies(s.transmit({ bytes: cut }))).toEqual([vxlan(cut)]);
  });

  it("drops what comes in with a tag as INNER_VLAN, in a train too; what has none goes on", () => {
    const s = stages({ vlan: "rfc" });
    const [tagged, plain] = [vxlan(frame({ vlan: 5 })), vxlan(frame({ payload: 104 }))];
    expect(tagged.length).toBe(plain.length);
    const train = Uint8Array.from([...plain, ...tagged, ...plain]);
    const outputs = s.receive({ bytes: tagged }, { bytes: train, segment: plain.length });
    expect(bodies(outputs)).toEqual([plain.subarray(8), plain.subarray(8)]);
    expect(s.drops("rx", "INNER_VLAN")).toBe(2);
    expect(s.leaked).toBe(0);
  });

  it("can change while packets flow; `pass` leaves tags alone both ways", () => {
    const s = stages({ vlan: "rfc" });
    const bytes = frame({ vlan: 5 });
    s.encap.setPolicy({ tos: 0, vlan: "pass" });
    s.decap.setPolicy({ reservedBits: "rfc", senderCheck: "strict", vlan: "pass" });
    expect(bodies(s.transmit({ bytes }))).toEqual([vxlan(bytes)]);
    expect(bodies(s.receive({ bytes: vxlan(bytes) }))).toEqual([bytes]);
  });
});

describe("gbp", () => {
  const GROUP = { group: 0x1234, dontLearn: true, applied: false };
  const ON = { group: 0, dontLearn: false, applied: false };

  /** A packet whose first four bytes are those. */
  function packet(first: readonly number[], options: FrameOptions = {}): Uint8Array {
    const bytes = vxlan(frame(options));
    bytes.set(first);
    return bytes;
  }

  it("names the group in all that is sent, segments included, until it is told otherwise", () => {
    const s = stages({ gbp: GROUP });
    const heads = () =>
      s
        .transmit({ bytes: frame() }, superFrame(2), { bytes: frame({ protocol: "icmp" }) })
        .map(({ body }) => [...body.subarray(0, 8)]);
    expect(heads()).toEqual(new Array(4).fill([0x88, 0x40, 0x12, 0x34, 0, 0, 1, 0]));
    s.encap.setPolicy({ tos: 0, gbp: { group: 0, dontLearn: false, applied: true } });
    expect(heads()).toEqual(new Array(4).fill([0x88, 0x08, 0, 0, 0, 0, 1, 0]));
    // As the kernel does without a mark (vxlan_build_gbp_hdr).
    s.encap.setPolicy({ tos: 0, gbp: ON });
    expect(heads()).toEqual(new Array(4).fill([0x08, 0, 0, 0, 0, 0, 1, 0]));
  });

  it("lets its bits in under reservedBits linux (VXLAN_GBP_USED_BITS), and no others", () => {
    const s = stages({ gbp: ON, reservedBits: "linux" });
    const good = [
      [0x88, 0, 0, 1],
      [0x88, 0x48, 0xff, 0xff],
      [0x08, 0, 0, 0],
      [0x08, 0xff, 0xff, 0xff], // bits of the extension without G: the kernel lets them in, too
    ];
    const bad = [
      [0x89, 0, 0, 1],
      [0xc8, 0, 0, 1],
    ];
    expect(s.receive(...[...good, ...bad].map((first) => ({ bytes: packet(first) })))).toHaveLength(4);
    const last = packet([0x88, 0, 0, 1]);
    last[7] = 1;
    expect(s.receive({ bytes: last })).toEqual([]);
    expect(s.drops("rx", "VXLAN_RESERVED_BITS")).toBe(3);
    expect(s.counters.get("rxGbp")).toBe(2);
  });

  it("off: they are reserved bits, which nobody counts", () => {
    const s = stages({ reservedBits: "linux" });
    expect(s.receive({ bytes: packet([0x88, 0, 0, 1]) })).toEqual([]);
    const lenient = stages();
    expect(lenient.receive({ bytes: packet([0x88, 0, 0, 1]) })).toHaveLength(1);
    expect([lenient.counters.get("rxGbp"), lenient.decap.lastGroup]).toEqual([0, null]);
  });

  it("counts each packet that names a group, alone, in trains and joined, and remembers the last", () => {
    const first = [0x88, 0x40, 0, 42];
    for (const join of [false, true]) {
      const offloads = { ...everyOffload(false), "udp-coalesce": join };
      const s = stages({ gbp: ON, offloads });
      expect(s.decap.lastGroup).toBeNull();
      const one = packet(first);
      const plain = vxlan(frame());
      const train = Uint8Array.from([...one, ...one, ...one]);
      s.receive({ bytes: one }, { bytes: one }, { bytes: train, segment: one.length });
      expect([s.counters.get("rxGbp"), s.counters.get("rxFrames")]).toEqual([5, 5]);
      expect(s.counters.get("rxCoalesced") > 0).toBe(join);
      s.receive({ bytes: plain }, { bytes: plain }, { bytes: one }, { bytes: plain });
      expect([s.counters.get("rxGbp"), s.counters.get("rxFrames")]).toEqual([6, 9]);
      expect(s.decap.lastGroup).toEqual({ group: 42, dontLearn: true, applied: false });
    }
  });

  it("counts none that is dropped, and none of what it no longer understands", () => {
    const s = stages({ gbp: ON });
    s.receive({ bytes: packet([0x88, 0, 0, 1]), from: [10, 0, 0, 9] });
    expect([s.counters.get("rxGbp"), s.drops("rx", "UNKNOWN_VTEP")]).toEqual([0, 1]);
    s.receive({ bytes: packet([0x88, 0, 0, 1]) });
    s.decap.setPolicy({ reservedBits: "rfc", senderCheck: "strict", gbp: null });
    const one = { bytes: packet([0x88, 0, 0, 1]) };
    expect(s.receive(one, one, { bytes: packet([0x08, 0, 0, 0]) })).toHaveLength(3);
    expect([s.counters.get("rxGbp"), s.decap.lastGroup]).toEqual([1, null]);
  });
});
