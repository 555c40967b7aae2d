/** Super-frames cut into segments, against a slow oracle that builds each segment from its description. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checksumsRight, type FrameOptions, frame, MAC_B, ones, vxlan } from "./frames.ts";
import { type Output, Stages } from "./stages.ts";

const TCPV4 = 1;
const TCPV6 = 4;
const UDP_L4 = 5;
const FIN = 0x01;
const PSH = 0x08;
const ACK = 0x10;
const CWR = 0x80;

function stages(options: ConstructorParameters<typeof Stages>[0] = {}): Stages {
  const made = new Stages(options, { sourcePort: false });
  made.peer(MAC_B, [172, 19, 0, 3]);
  return made;
}

/** A vnet header as the kernel writes it for a super-frame. */
function vnet(type: number, size: number): number[] {
  return [1, type, 0, 0, size & 0xff, size >> 8, 0, 0, 0, 0, 0, 0];
}

/** The datagram a row stands for: its header and its slice. */
function whole({ head, body }: Output): Uint8Array {
  return Uint8Array.from([...head, ...body]);
}

function layout(options: FrameOptions): { l3: number; l4: number; payload: number } {
  const l3 = 14 + (options.vlan === undefined ? 0 : 4);
  const l4 = l3 + (options.version === 6 ? 40 : 20);
  const header = options.protocol === "tcp" ? 20 + (options.tcpOptions ?? 0) : 8;
  return { l3, l4, payload: l4 + header };
}

/** The segments that a kernel would make of the frame, one by one. */
function oracle(options: FrameOptions, size: number): Uint8Array[] {
  const big = frame({ ...options, checksum: "partial" });
  const { l3, l4, payload } = layout(options);
  const segments: Uint8Array[] = [];
  const end = big.length - payload;
  for (let at = 0; at < end; at += size) {
    const data = big.subarray(payload + at, Math.min(payload + at + size, big.length));
    const bytes = Uint8Array.from([...big.subarray(0, payload), ...data]);
    const l4Length = bytes.length - l4;
    const put = (where: number, value: number): void => {
      bytes[where] = (value >> 8) & 0xff;
      bytes[where + 1] = value & 0xff;
    };
    if (options.version === 6) put(l3 + 4, l4Length);
    else {
      put(l3 + 2, 20 + l4Length);
      put(l3 + 4, 1 + segments.length);
      put(l3 + 10, 0);
      put(l3 + 10, ~ones(bytes.subarray(l3, l4)));
    }
    const addresses = options.version === 6 ? bytes.subarray(l3 + 8, l4) : bytes.subarray(l3 + 12, l4);
    const csum = l4 + (options.protocol === "tcp" ? 16 : 6);
    if (options.protocol === "tcp") {
      put(l4 + 6, 1 + at); // the test frames' sequence number is 1, and stays below 2^16
      if (at + size < end) bytes[l4 + 13]! &= ~(FIN | PSH);
      if (at > 0) bytes[l4 + 13]! &= ~CWR;
    } else put(l4 + 4, l4Length);
    put(csum, 0);
    const pseudo = ones(addresses, (options.protocol === "tcp" ? 6 : 17) + l4Length);
    const checksum = ~ones(bytes.subarray(l4), pseudo) & 0xffff;
    // RFC 768: a UDP checksum of 0 says that there is none. TCP knows no such thing: one in 65,536 is 0.
    put(csum, options.protocol === "udp" && checksum === 0 ? 0xffff : checksum);
    segments.push(bytes);
  }
  return segments;
}

const shapes = fc.record({
  version: fc.constantFrom(4 as const, 6 as const),
  protocol: fc.constantFrom("tcp" as const, "udp" as const),
  vlan: fc.option(fc.integer({ min: 1, max: 4094 }), { nil: undefined }),
  tcpOptions: fc.integer({ min: 0, max: 10 }).map((n) => n * 4),
  tcpFlags: fc.constantFrom(ACK, ACK | PSH, ACK | FIN, ACK | PSH | FIN, ACK | CWR, ACK | CWR | PSH),
  tos: fc.integer({ min: 0, max: 255 }),
  payload: fc.integer({ min: 1, max: 30_000 }),
});

describe("segment", () => {
  it("makes of a super-frame the packets that the kernel would make, byte for byte", () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 40, max: 1350 }), ({ vlan, ...rest }, size) => {
        const options: FrameOptions = vlan === undefined ? rest : { ...rest, vlan };
        const s = stages();
        const type = rest.protocol === "udp" ? UDP_L4 : rest.version === 4 ? TCPV4 : TCPV6;
        const ecn = (rest.tcpFlags & CWR) !== 0 && rest.protocol === "tcp" ? 0x80 : 0;
        const bytes = frame({ ...options, checksum: "partial" });
        const outputs = s.transmit({ bytes, vnet: vnet(type | ecn, size) });
        expect(outputs.map(whole)).toEqual(oracle(options, size).map((inner) => vxlan(inner)));
        expect(s.leaked).toBe(0);
        expect(s.counters.get("txFrames")).toBe(outputs.length);
        expect(s.counters.get("txSuperFrames")).toBe(1);
      }),
      { numRuns: 60 },
    );
  });

  it("finishes every checksum", () => {
    const s = stages();
    for (const protocol of ["tcp", "udp"] as const) {
      for (const version of [4, 6] as const) {
        const type = protocol === "udp" ? UDP_L4 : version === 4 ? TCPV4 : TCPV6;
        const bytes = frame({ protocol, version, payload: 9000, checksum: "partial" });
        const outputs = s.transmit({ bytes, vnet: vnet(type, 1300) });
        expect(outputs).toHaveLength(7);
        for (const output of outputs) expect(checksumsRight(whole(output).subarray(8))).toBe(true);
      }
    }
  });

  it("keeps the destination that a routing header hides in the checksum", () => {
    // IPv6, a routing header (type 4) with one segment, TCP: the pseudo-header has the last destination.
    const plain = frame({ protocol: "tcp", version: 6, payload: 3000 });
    const last = [0xfd, 0, ...new Array(13).fill(0), 9];
    const routing = [6, 2, 4, 1, 0, 0, 0, 0, ...last];
    const bytes = Uint8Array.from([...plain.subarray(0, 54), ...routing, ...plain.subarray(54)]);
    const l4 = 54 + routing.length;
    bytes.set([(bytes.length - 54) >> 8, (bytes.length - 54) & 255], 18);
    bytes[20] = 43;
    const pseudo = ones([...bytes.subarray(22, 38), ...last], 6 + bytes.length - l4);
    bytes.set([pseudo >> 8, pseudo & 255], l4 + 16);
    const outputs = stages().transmit({ bytes, vnet: vnet(TCPV6, 1300) });
    expect(outputs).toHaveLength(3);
    for (const output of outputs) {
      const segment = whole(output).subarray(8 + l4);
      const sum = ones([...bytes.subarray(22, 38), ...last], 6 + segment.length);
      expect(ones(segment, sum)).toBe(0xffff);
    }
  });

  it("drops what would not fit the MTU after cutting, or makes no sense", () => {
    const s = stages();
    const tcp = frame({ protocol: "tcp", payload: 4000, checksum: "partial" });
    expect(s.transmit({ bytes: tcp, vnet: vnet(TCPV4, 1411) })).toHaveLength(0);
    expect(s.drops("tx", "PKT_TOO_BIG")).toBe(1);
    expect(s.transmit({ bytes: tcp, vnet: vnet(TCPV4, 1410) })).toHaveLength(3);
    expect(s.transmit({ bytes: tcp, vnet: vnet(TCPV4, 0) })).toHaveLength(0);
    expect(s.transmit({ bytes: tcp, vnet: vnet(UDP_L4, 1000) })).toHaveLength(0);
    expect(s.transmit({ bytes: tcp, vnet: vnet(3, 1000) })).toHaveLength(0); // GSO_UDP: fragments
    expect(s.transmit({ bytes: tcp.subarray(0, 60), vnet: vnet(TCPV4, 1000) })).toHaveLength(0);
    expect(s.drops("tx", "TAP_GSO")).toBe(4);
    expect(s.leaked).toBe(0);
  });
});

describe("messages", () => {
  const gso = (): Stages => {
    const made = new Stages({}, { sourcePort: false, gso: true });
    made.peer(MAC_B, [172, 19, 0, 3]);
    return made;
  };

  it("are the segments of a super-frame, and go on into the next one of the flow", () => {
    const s = gso();
    const one = { bytes: frame({ protocol: "tcp", payload: 26_000 }), vnet: vnet(TCPV4, 1300) };
    const outputs = s.transmit(one, one, one);
    expect(outputs).toHaveLength(60);
    // 1362 bytes each: 48 fit into the largest datagram
    expect(outputs.map(({ message }) => message).filter((rows) => rows > 0)).toEqual([48, 12]);
    expect(outputs[0]!.segment).toBe(8 + 14 + 20 + 20 + 1300);
  });

  it("end with a shorter datagram, at another VTEP, and at 64", () => {
    const s = gso();
    s.peer("02:00:00:00:00:0c", [172, 19, 0, 4]);
    const small = { bytes: frame({ payload: 64 }) };
    const rows = (...frames: { bytes: Uint8Array }[]): number[] =>
      s
        .transmit(...frames)
        .map(({ message }) => message)
        .filter((n) => n > 0);
    expect(rows(small, small, { bytes: frame({ payload: 10 }) }, small, small)).toEqual([3, 2]);
    expect(rows(small, { bytes: frame({ payload: 65 }) }, small)).toEqual([1, 2]);
    expect(rows(small, { bytes: frame({ payload: 64, dst: "02:00:00:00:00:0c" }) }, small)).toEqual([
      1, 1, 1,
    ]);
    expect(rows(small, { bytes: frame({ payload: 64, tos: 2 }) })).toEqual([1, 1]);
    const many = { bytes: frame({ protocol: "udp", payload: 8000 }), vnet: vnet(UDP_L4, 100) };
    expect(rows(many)).toEqual([64, 16]);
  });

  it("are of one datagram each where the underlay cannot do it", () => {
    const s = stages();
    const small = { bytes: frame({ payload: 64 }) };
    expect(s.transmit(small, small).map(({ message }) => message)).toEqual([1, 1]);
  });
});
