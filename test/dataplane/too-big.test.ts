/** ICMP to the sender of what is too long for a path: who gets one, what is in it, and who never does. */
import { describe, expect, it } from "vitest";
import { PathMtus } from "../../src/dataplane/path-mtus.ts";
import { TooBig } from "../../src/dataplane/too-big.ts";
import { Location, locate } from "../../src/wire/flow.ts";
import { checksumsRight, type FrameOptions, frame, MAC_A, MAC_B, mac, ones } from "./frames.ts";
import { Stages } from "./stages.ts";

const PEER = "172.19.0.3";
const LIMIT = 1350;
/** Bytes of IP and UDP headers. */
const HEADERS = { 4: 28, 6: 48 } as const;

function stages(limit = LIMIT): Stages {
  const made = new Stages();
  made.limit(PEER, limit, made.peer(MAC_B, [172, 19, 0, 3]));
  return made;
}

/** A UDP packet of so many bytes, IP header included, in a frame. */
function packet(size: number, options: FrameOptions = {}): Uint8Array {
  return frame({ ...options, payload: size - HEADERS[options.version ?? 4] });
}

function patched(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
  bytes.set(values, at);
  return bytes;
}

/** The ICMP message as bytes, behind Ethernet and the IP header. */
function icmpOf(answer: Uint8Array): Uint8Array {
  return answer.subarray(14 + (answer[12] === 0x08 ? 20 : 40));
}

describe("a packet too long for its path", () => {
  it("passes where it just fits, and one byte more is answered and dropped", () => {
    const s = stages();
    expect(s.transmit({ bytes: packet(LIMIT) })).toHaveLength(1);
    expect(s.answered()).toEqual([]);
    expect(s.transmit({ bytes: packet(LIMIT + 1) })).toEqual([]);
    expect(s.answered()).toHaveLength(1);
    expect(s.drops("tx", "PKT_TOO_BIG")).toBe(1);
    expect(s.leaked).toBe(0);
  });

  it("is answered with ICMP type 3 code 4 and what fits, from the inner destination (RFC 1191 section 4)", () => {
    const s = stages();
    const sent = packet(1400, { tos: 0xfc });
    s.transmit({ bytes: sent });
    const answer = s.answered()[0]!.body;
    expect([...answer!.subarray(0, 14)]).toEqual([...mac(MAC_A), ...mac(MAC_B), 0x08, 0x00]);
    expect([...answer!.subarray(26, 34)]).toEqual([10, 244, 2, 5, 10, 244, 1, 2]);
    expect(answer!.length).toBe(14 + 576); // RFC 1812 section 4.3.2.3
    expect((answer![16]! << 8) | answer![17]!).toBe(576);
    const icmp = icmpOf(answer!);
    expect([...icmp.subarray(0, 2), ...icmp.subarray(4, 8)]).toEqual([3, 4, 0, 0, LIMIT >> 8, LIMIT & 0xff]);
    expect(icmp.subarray(8)).toEqual(sent.subarray(14, 14 + 576 - 28));
    expect(checksumsRight(answer!)).toBe(true);
  });

  it("over IPv6 with ICMPv6 type 2 (RFC 4443 section 3.2)", () => {
    const s = stages();
    const sent = packet(1400, { version: 6 });
    s.transmit({ bytes: sent });
    const answer = s.answered()[0]!.body;
    expect([...answer!.subarray(0, 14)]).toEqual([...mac(MAC_A), ...mac(MAC_B), 0x86, 0xdd]);
    expect(answer!.subarray(22, 38)).toEqual(sent.subarray(38, 54));
    expect(answer!.subarray(38, 54)).toEqual(sent.subarray(22, 38));
    expect(answer!.length).toBe(14 + 1280);
    const icmp = icmpOf(answer!);
    expect([...icmp.subarray(0, 2), ...icmp.subarray(4, 8)]).toEqual([2, 0, 0, 0, LIMIT >> 8, LIMIT & 0xff]);
    expect(icmp.subarray(8)).toEqual(sent.subarray(14, 14 + 1280 - 48));
    expect(checksumsRight(answer!)).toBe(true);
  });

  it("keeps its VLAN tag, which takes of the path, too", () => {
    const s = stages();
    expect(s.transmit({ bytes: packet(LIMIT - 4, { vlan: 5 }) })).toHaveLength(1);
    expect(s.transmit({ bytes: packet(LIMIT - 3, { vlan: 5 }) })).toEqual([]);
    const answer = s.answered()[0]!.body;
    expect([...answer!.subarray(12, 18)]).toEqual([0x81, 0, 0, 5, 0x08, 0]);
    expect(ones(answer!.subarray(18, 38))).toBe(0xffff);
    expect((answer![44]! << 8) | answer![45]!).toBe(LIMIT - 4);
  });

  it("is sent where only other VTEPs have a narrow path", () => {
    const s = stages();
    s.peer("02:00:00:00:00:0c", [172, 19, 0, 4]);
    expect(s.transmit({ bytes: packet(1400, { dst: "02:00:00:00:00:0c" }) })).toHaveLength(1);
    expect(s.answered()).toEqual([]);
  });

  it("is sent again when the path is wide again", () => {
    const s = stages();
    s.paths.replace([]);
    s.encap.pathsChanged();
    expect(s.transmit({ bytes: packet(1400) })).toHaveLength(1);
  });

  it("as a super-frame is answered where its segments are too long", () => {
    const s = stages();
    const bytes = frame({ protocol: "tcp", payload: 4000, checksum: "partial" });
    const vnet = (size: number) => [1, 1, 54, 0, size & 0xff, size >> 8, 34, 0, 16, 0, 0, 0];
    expect(s.transmit({ bytes, vnet: vnet(LIMIT - 40) })).toHaveLength(4);
    expect(s.answered()).toEqual([]);
    expect(s.transmit({ bytes, vnet: vnet(LIMIT - 39) })).toEqual([]);
    const answer = s.answered()[0]!.body;
    expect(checksumsRight(answer!)).toBe(true);
    expect(icmpOf(answer!).subarray(8)).toEqual(bytes.subarray(14, 14 + 576 - 28));
    expect(s.leaked).toBe(0);
  });
});

/** Frames that are too long, and whose sender must not be told. */
const UNANSWERED: [string, Uint8Array][] = [
  ["IPv4 without DF", patched(packet(1400), 20, 0)],
  ["a later fragment", patched(packet(1400), 20, 0x40, 0x10)],
  ...[3, 4, 5, 11, 12].map((type): [string, Uint8Array] => [
    `ICMP error ${type}`,
    patched(packet(1400, { protocol: "icmp" }), 34, type),
  ]),
  ...[1, 2, 3, 4, 100, 127].map((type): [string, Uint8Array] => [
    `ICMPv6 error ${type}`,
    patched(patched(packet(1400, { version: 6 }), 20, 58), 54, type),
  ]),
  ["a later IPv6 fragment", patched(patched(packet(1400, { version: 6 }), 20, 44), 54, 17, 0, 0x05, 0xa9)],
  ["an ICMPv6 fragment", patched(patched(packet(1400, { version: 6 }), 20, 44), 54, 58, 0, 0, 1)],
  ["a source MAC of a group", patched(packet(1400), 6, 3)],
  ["from 0.0.0.0", patched(packet(1400), 26, 0, 0, 0, 0)],
  ["from loopback", patched(packet(1400), 26, 127, 0, 0, 1)],
  ["from a group", patched(packet(1400), 26, 224, 0, 0, 5)],
  ["from 255.255.255.255", patched(packet(1400), 26, 255, 255, 255, 255)],
  ["to a group", patched(packet(1400), 30, 239, 1, 2, 3)],
  ["to 255.255.255.255", patched(packet(1400), 30, 255, 255, 255, 255)],
  ["from ::", patched(packet(1400, { version: 6 }), 22, ...new Array(16).fill(0))],
  ["from ::1", patched(packet(1400, { version: 6 }), 22, ...new Array(15).fill(0), 1)],
  ["from an IPv6 group", patched(packet(1400, { version: 6 }), 22, 0xff, 2)],
  ["to an IPv6 group", patched(packet(1400, { version: 6 }), 38, 0xff, 2)],
  ["no IP", patched(packet(1400), 12, 0x88, 0xb5)],
];

describe("no answer, and off it goes to the underlay, to", () => {
  it.each(UNANSWERED)("%s", (_name, bytes) => {
    const s = stages();
    expect(s.transmit({ bytes })).toHaveLength(1);
    expect(s.answered()).toEqual([]);
  });

  it("a frame to a group MAC", () => {
    const s = stages();
    const vtep = s.peer("01:00:5e:00:00:05", [172, 19, 0, 3]);
    s.limit(PEER, LIMIT, vtep);
    expect(s.transmit({ bytes: packet(1400, { dst: "01:00:5e:00:00:05" }) })).toHaveLength(1);
    expect(s.answered()).toEqual([]);
  });

  it("anybody about less than what every host takes (RFC 791, RFC 8200 section 5)", () => {
    const narrow = stages(575);
    expect(narrow.transmit({ bytes: packet(600) }, { bytes: packet(600, { version: 6 }) })).toHaveLength(2);
    const middling = stages(1279);
    expect(middling.transmit({ bytes: packet(1300) })).toEqual([]);
    expect(middling.transmit({ bytes: packet(1300, { version: 6 }) })).toHaveLength(1);
  });

  it("but ICMP that asks is answered, and the first fragment", () => {
    const s = stages();
    s.transmit(
      { bytes: packet(1400, { protocol: "icmp" }) },
      { bytes: patched(patched(packet(1400, { version: 6 }), 20, 58), 54, 128) },
      { bytes: patched(packet(1400), 20, 0x60, 0) },
      { bytes: patched(patched(packet(1400, { version: 6 }), 20, 44), 54, 17, 0, 0, 1) },
    );
    expect(s.answered()).toHaveLength(4);
  });
});

it("frames of any bytes are answered within their own length, or not at all", () => {
  const s = stages(576);
  let seed = 1;
  for (let n = 0; n < 2000; n++) {
    const bytes = packet(600 + (n % 800), { version: n % 2 ? 4 : 6, ...(n % 3 ? {} : { vlan: 7 }) });
    for (let k = 0; k < 4; k++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 1;
      bytes[12 + (seed % 60)] = seed >>> 8;
    }
    s.transmit({ bytes });
    for (const { body } of s.answered()) expect(body.length).toBeLessThanOrEqual(bytes.length);
  }
  expect(s.leaked).toBe(0);
});

it("answers 50 at once and 1,000 in a second, as the kernel does", () => {
  const s = stages();
  const paths = new PathMtus();
  paths.replace([{ address: PEER, mtu: LIMIT }]);
  paths.enter(1, PEER);
  let now = 0;
  const tooBig = new TooBig(s.arena.bytes, paths, () => now);
  const bytes = packet(1400);
  const at = s.filled.pool.take();
  s.arena.bytes.set(bytes, at);
  const where = new Location();
  locate(s.arena.bytes, at, bytes.length, where);
  const burst = (count: number): number => {
    let answers = 0;
    for (let i = 0; i < count; i++) {
      expect(tooBig.refuses(at, bytes.length, where, 1400, 1, s.answers)).toBe(true);
      answers += s.answered().length;
    }
    return answers;
  };
  expect(burst(200)).toBe(50);
  now = 10;
  expect(burst(200)).toBe(10);
  now = 10_000;
  expect(burst(200)).toBe(50);
});

it("a VTEP's index that goes to somebody else takes no limit along", () => {
  const paths = new PathMtus();
  paths.replace([{ address: PEER, mtu: 1350 }]);
  paths.enter(1, PEER);
  paths.enter(40, PEER);
  expect([
    paths.smallest,
    paths.limitOf(1),
    paths.limitOf(40),
    paths.limitOf(41),
    paths.limitOf(500),
  ]).toEqual([1350, 1350, 1350, 0, 0]);
  paths.enter(1, "172.19.0.4");
  expect(paths.limitOf(1)).toBe(0);
});
