/** Segments joined on receipt, and the reasons not to: what comes out must be what would have come out one by one. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { everyOffload } from "../../src/dataplane/offloads.ts";
import { checksumsRight, type FrameOptions, frame, MAC_A, MAC_B, ones, vxlan } from "./frames.ts";
import { type Output, type Received, Stages } from "./stages.ts";

const ACK = 0x10;
const PSH = 0x08;
const NEEDS_CSUM = 1;

function stages(): Stages {
  const made = new Stages({ offloads: everyOffload(true) });
  made.peer(MAC_A, [172, 19, 0, 3]);
  made.peer(MAC_B, [172, 19, 0, 3]);
  return made;
}

interface Change {
  /** Bytes of the inner frame to change, from where: checksums are put right afterwards. */
  readonly set?: readonly [number, ...number[]];
  readonly payload?: number;
  readonly flags?: number;
  /** Left as it is: nothing is put right. */
  readonly flip?: number;
  readonly from?: readonly number[];
  readonly tos?: number;
}

/** Consecutive packets of one flow: sequence numbers and ids go on. Each may be spoiled by a change. */
function flow(
  options: FrameOptions,
  sizes: readonly number[],
  changes: Record<number, Change> = {},
): Received[] {
  let sequence = 1;
  const l3 = 14 + (options.vlan === undefined ? 0 : 4);
  const l4 = l3 + (options.version === 6 ? 40 : 20);
  return sizes.map((size, i) => {
    const change = changes[i] ?? {};
    const bytes = frame({ ...options, payload: change.payload ?? size, tcpFlags: change.flags ?? ACK });
    if (options.version !== 6) bytes[l3 + 5] = 1 + i;
    if (options.protocol === "tcp")
      bytes.set([0, sequence >> 16, (sequence >> 8) & 255, sequence & 255], l4 + 4);
    sequence += change.payload ?? size;
    if (change.set !== undefined) bytes.set(change.set.slice(1), change.set[0]);
    putRight(bytes, l3, l4, options);
    if (change.flip !== undefined) bytes[change.flip % bytes.length]! ^= 1;
    return { bytes: vxlan(bytes), from: change.from ?? [172, 19, 0, 3], tos: change.tos ?? 0 };
  });
}

function putRight(bytes: Uint8Array, l3: number, l4: number, { version, protocol }: FrameOptions): void {
  const put = (at: number, value: number): void => bytes.set([(value >> 8) & 255, value & 255], at);
  const csum = l4 + (protocol === "tcp" ? 16 : 6);
  if (version !== 6) {
    put(l3 + 10, 0);
    put(l3 + 10, ~ones(bytes.subarray(l3, l3 + 20)));
  }
  const addresses = version === 6 ? bytes.subarray(l3 + 8, l3 + 40) : bytes.subarray(l3 + 12, l3 + 20);
  const length = bytes.length - l4;
  put(csum, 0);
  const value = ~ones(bytes.subarray(l4), ones(addresses, (protocol === "tcp" ? 6 : 17) + length)) & 0xffff;
  // RFC 768: a UDP checksum of 0 says that there is none. TCP knows no such thing: one in 65,536 is 0.
  put(csum, protocol === "udp" && value === 0 ? 0xffff : value);
}

function looksUnfinished({ bytes }: Received, options: FrameOptions, payload: number): boolean {
  const partial = frame({ ...options, payload, checksum: "partial" });
  const l4 = 14 + (options.vlan === undefined ? 0 : 4) + (options.version === 6 ? 40 : 20);
  const csum = l4 + (options.protocol === "tcp" ? 16 : 6);
  return bytes[8 + csum] === partial[csum] && bytes[9 + csum] === partial[csum + 1];
}

/** What stands on the TAP: a message per frame or super-frame. */
interface Written {
  readonly vnet: Uint8Array;
  readonly bytes: Uint8Array;
  readonly rows: number;
}

function written(outputs: readonly Output[]): Written[] {
  const result: Written[] = [];
  for (let i = 0; i < outputs.length; i += outputs[i]!.message) {
    const rows = outputs.slice(i, i + outputs[i]!.message);
    const bytes = rows.flatMap(({ body }) => [...body]);
    result.push({ vnet: outputs[i]!.head, bytes: Uint8Array.from(bytes), rows: rows.length });
  }
  return result;
}

/** Cuts a super-frame as the kernel does, from its vnet header alone. */
function cut({ vnet, bytes }: Written): Uint8Array[] {
  const type = vnet[1]!;
  if (type === 0) return [bytes];
  const le = (at: number): number => vnet[at]! | (vnet[at + 1]! << 8);
  const s = new Stages({}, { sourcePort: false });
  s.peer(MAC_B, [172, 19, 0, 3]);
  expect(le(2)).toBeGreaterThan(le(6));
  return s
    .transmit({ bytes, vnet: [...vnet] })
    .map(({ head, body }) => Uint8Array.from([...head, ...body].slice(8)));
}

const inner = ({ bytes }: Received): Uint8Array => bytes.subarray(8);
const rows = (outputs: readonly Output[]): number[] => written(outputs).map((frame) => frame.rows);

const shapes = fc.record({
  version: fc.constantFrom(4 as const, 6 as const),
  protocol: fc.constantFrom("tcp" as const, "udp" as const),
  vlan: fc.option(fc.integer({ min: 1, max: 4094 }), { nil: undefined }),
  tcpOptions: fc.integer({ min: 0, max: 10 }).map((n) => n * 4),
});

/** Hands packets over one by one, or as trains that UDP_GRO would have made of them. */
function asTrain(packets: readonly Received[]): Received[] {
  const bytes = Uint8Array.from(packets.flatMap((packet) => [...packet.bytes]));
  return [{ bytes, segment: packets[0]!.bytes.length }];
}

describe("coalesce", () => {
  it("joins what the kernel can cut into the very packets that came", () => {
    fc.assert(
      fc.property(
        shapes,
        fc.integer({ min: 1, max: 1300 }),
        fc.integer({ min: 2, max: 40 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 1300 }),
        ({ vlan, ...rest }, size, count, train, last) => {
          const options: FrameOptions = vlan === undefined ? rest : { ...rest, vlan };
          const s = stages();
          const sizes = [...new Array<number>(count - 1).fill(size), Math.min(last, size)];
          const packets = flow(options, sizes);
          // A finished checksum that is the pseudo-header sum by chance (partial.ts) is left to the kernel, alone.
          fc.pre(!looksUnfinished(packets[0]!, options, size));
          const frames = written(s.receive(...(train ? asTrain(packets) : packets)));
          expect(frames).toHaveLength(1);
          expect(frames[0]!.vnet[0]).toBe(NEEDS_CSUM);
          expect(cut(frames[0]!)).toEqual(packets.map(inner));
          expect(s.counters.get("rxFrames")).toBe(count);
          expect(s.counters.get("rxCoalesced")).toBe(count - 1);
          expect(s.leaked).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  const tcp: FrameOptions = { protocol: "tcp", tcpOptions: 12 };
  const L3 = 14;
  const L4 = 34;
  const APART: [string, FrameOptions, Change][] = [
    ["another destination MAC", tcp, { set: [0, 2, 0, 0, 0, 0, 0x0c] }],
    ["another source MAC", tcp, { set: [6, 2, 0, 0, 0, 0, 0x0b] }],
    ["another TOS", tcp, { set: [L3 + 1, 4] }],
    ["another TTL", tcp, { set: [L3 + 8, 63] }],
    ["DF clear", tcp, { set: [L3 + 6, 0] }],
    ["another address", tcp, { set: [L3 + 15, 9] }],
    ["another port", tcp, { set: [L4, 1] }],
    ["a gap", tcp, { set: [L4 + 4, 1] }],
    ["another acknowledgement", tcp, { set: [L4 + 8, 1] }],
    ["another window", tcp, { set: [L4 + 14, 1] }],
    ["an urgent pointer", tcp, { set: [L4 + 18, 1] }],
    ["other options", tcp, { set: [L4 + 20, 0] }],
    ["FIN", tcp, { flags: ACK | 1 }],
    ["SYN", tcp, { flags: ACK | 2 }],
    ["RST", tcp, { flags: ACK | 4 }],
    ["ECE", tcp, { flags: ACK | 0x40 }],
    ["CWR", tcp, { flags: ACK | 0x80 }],
    ["URG", tcp, { flags: ACK | 0x20 }],
    ["a longer payload", tcp, { payload: 101 }],
    ["an outer congestion mark", { ...tcp, tos: 2 }, { tos: 3 }],
    ["no payload", tcp, { payload: 0 }],
    ["another UDP port", { protocol: "udp" }, { set: [L4 + 2, 1] }],
    ["another flow label", { ...tcp, version: 6 }, { set: [L3 + 3, 1] }],
    ["another hop limit", { ...tcp, version: 6 }, { set: [L3 + 7, 1] }],
  ];

  it.each(APART)("keeps apart: %s", (_, options, change) => {
    const s = stages();
    const packets = flow(options, [100, 100, 100], { 1: change });
    const frames = written(s.receive(...packets));
    expect(frames[0]!.rows).toBe(1);
    expect(frames[0]!.bytes).toEqual(inner(packets[0]!));
    expect(frames.map((frame) => frame.rows).reduce((a, b) => a + b)).toBe(3);
    expect(s.leaked).toBe(0);
  });

  it("keeps apart IPv4 packets without DF whose ids do not follow each other", () => {
    const s = stages();
    const clear: Change = { set: [L3 + 6, 0] };
    const changes = { 0: clear, 1: clear, 2: { set: [L3 + 4, 0, 9, 0] } as Change };
    expect(rows(s.receive(...flow(tcp, [100, 100, 100], changes)))).toEqual([2, 1]);
  });

  it("ends with PSH and with a shorter segment, and starts again after them", () => {
    const s = stages();
    const pushed = flow(tcp, [100, 100, 100, 100], { 1: { flags: ACK | PSH } });
    const frames = written(s.receive(...pushed));
    expect(frames.map((frame) => frame.rows)).toEqual([2, 2]);
    expect(frames.flatMap(cut)).toEqual(pushed.map(inner));
    expect(rows(s.receive(...flow(tcp, [100, 60, 100, 100])))).toEqual([2, 2]);
  });

  it("joins nothing without its offload, nor over a payload that would not fit an IP packet", () => {
    const off = new Stages();
    off.peer(MAC_A, [172, 19, 0, 3]);
    expect(rows(off.receive(...flow(tcp, [100, 100])))).toEqual([1, 1]);
    const s = stages();
    const counts = rows(s.receive(...asTrain(flow(tcp, new Array(48).fill(1300))), ...flow(tcp, [5])));
    expect(counts.slice(0, 2)).toEqual([48, 1]);
  });

  it("does not take over the checks of a sender that nobody knows", () => {
    const s = stages();
    const packets = flow(tcp, [100, 100, 100], { 1: { from: [1, 2, 3, 4] } });
    expect(rows(s.receive(...packets))).toEqual([1, 1]);
    expect(s.drops("rx", "UNKNOWN_VTEP")).toBe(1);
  });

  it("checks every packet of a train whose first one was not let in, whatever came before it", () => {
    const s = stages();
    const [before] = flow({ protocol: "udp" }, [100]);
    const [train] = asTrain(flow({ protocol: "udp" }, [100, 100, 100, 100]));
    const outputs = s.receive(before!, { ...train!, from: [203, 0, 113, 9], tos: 3 });
    expect(outputs).toHaveLength(1);
    expect(s.drops("rx", "UNKNOWN_VTEP")).toBe(4);
    expect([s.counters.get("rxFrames"), s.counters.get("rxCoalesced"), s.leaked]).toEqual([1, 0, 0]);
  });

  it("makes no more rows of a train than the ring was asked for", () => {
    const s = stages();
    const strangers = Array.from(
      { length: 127 },
      (_, i) => flow({ protocol: "udp", sourcePort: 1000 + i }, [20])[0]!,
    );
    const train = asTrain([...strangers, ...flow({ protocol: "udp" }, new Array(70).fill(20))]);
    const outputs = s.receive(...train);
    expect(outputs).toHaveLength(128);
    expect(s.drops("rx", "PKT_TOO_BIG")).toBe(69);
    expect(s.leaked).toBe(0);
  });

  it("leaves an unfinished checksum in the middle of a chain to the kernel, and the others as they came", () => {
    const s = stages();
    const packets = flow(tcp, [100, 100, 100]);
    const partial = frame({ ...tcp, payload: 100, checksum: "partial" });
    packets[1]!.bytes.set(partial.subarray(L4 + 16, L4 + 18), 8 + L4 + 16);
    const frames = written(s.receive(...packets));
    expect(frames.map(({ vnet }) => vnet[0])).toEqual([0, NEEDS_CSUM, 0]);
    expect(frames.map(({ bytes }) => bytes)).toEqual(packets.map(inner));
  });

  it("never lets a damaged packet become a part of a right one", () => {
    fc.assert(
      fc.property(
        shapes,
        fc.integer({ min: 2, max: 12 }),
        fc.nat(11),
        fc.nat(100_000),
        fc.boolean(),
        ({ vlan, ...rest }, count, which, where, train) => {
          const options: FrameOptions = vlan === undefined ? rest : { ...rest, vlan };
          const s = stages();
          const packets = flow(options, new Array(count).fill(200), { [which % count]: { flip: where } });
          const frames = written(s.receive(...(train ? asTrain(packets) : packets)));
          // Whatever was joined comes apart into packets that came, each whole; whatever was not is as it came.
          const came = new Set(packets.map((packet) => String(inner(packet))));
          for (const packet of frames.flatMap(cut)) expect(came).toContain(String(packet));
          for (const frame of frames) {
            if (frame.rows === 1 || options.vlan !== undefined) continue;
            for (const packet of cut(frame)) expect(checksumsRight(packet)).toBe(true);
          }
          expect(s.leaked).toBe(0);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("takes a super-frame that the TAP refuses apart into frames with the same content", () => {
    for (const version of [4, 6] as const) {
      for (const protocol of ["tcp", "udp"] as const) {
        const s = stages();
        const packets = flow({ version, protocol }, [100, 100, 70]);
        const outputs = s.receiveRefused(...packets);
        expect(outputs.map(({ message }) => message)).toEqual([1, 1, 1]);
        expect(outputs[0]!.head[0]).toBe(NEEDS_CSUM); // its checksum is the kernel's to finish
        const csum = (version === 4 ? 34 : 54) + (protocol === "tcp" ? 16 : 6);
        outputs.forEach(({ body }, i) => {
          const wanted = inner(packets[i]!).slice();
          const got = body.slice();
          if (i === 0) for (const bytes of [got, wanted]) bytes.fill(0, csum, csum + 2);
          expect(got).toEqual(wanted);
        });
        expect(s.leaked).toBe(0);
      }
    }
  });
});
