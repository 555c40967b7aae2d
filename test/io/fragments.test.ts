/** Fragments of VXLAN told from whole packets and from other people's fragments, on hand-made packets. */
import { describe, expect, it } from "vitest";
import { FragmentTracker } from "../../src/io/fragments.ts";

const ETHERNET = 1;
const RAW = 101;
const LINUX_SLL = 113;
const PORT = 8472;

interface Fragment {
  readonly id: number;
  readonly offset: number;
  readonly more: boolean;
  readonly source?: number;
  readonly port?: number;
}

/** An IPv4 packet of 28 bytes with a UDP header where a first fragment has one. */
function ipv4({ id, offset, more, source = 1, port = PORT }: Fragment): Uint8Array {
  const packet = new Uint8Array(28);
  packet.set([0x45, 0, 0, 28, id >> 8, id & 255, (more ? 0x20 : 0) | (offset >> 8), offset & 255, 64, 17]);
  packet.set([192, 0, 2, source, 192, 0, 2, 99], 12);
  if (offset === 0) packet.set([0xc0, 0x01, port >> 8, port & 255], 20);
  return packet;
}

/** An IPv6 packet with a fragment header before its UDP. */
function ipv6({ id, offset, more, source = 1, port = PORT }: Fragment, next = 17): Uint8Array {
  const packet = new Uint8Array(56);
  packet.set([0x60, 0, 0, 0, 0, 16, 44, 64]);
  packet[23] = source;
  packet[39] = 99;
  packet.set([next, 0, offset >> 5, ((offset << 3) & 0xf8) | (more ? 1 : 0), 0, 0, id >> 8, id & 255], 40);
  if (offset === 0) packet.set([0xc0, 0x01, port >> 8, port & 255], 48);
  return packet;
}

function behind(header: number[], packet: Uint8Array): Uint8Array {
  return Uint8Array.from([...header, ...packet]);
}

describe.each([
  ["IPv4", ipv4],
  ["IPv6", ipv6],
])("%s", (_, build) => {
  it("the rest of a first fragment is ours, whatever else is between", () => {
    const tracker = new FragmentTracker(RAW, PORT);
    expect(tracker.classify(build({ id: 7, offset: 0, more: true }))).toBe("first");
    expect(tracker.classify(build({ id: 8, offset: 0, more: true }))).toBe("first");
    expect(tracker.classify(build({ id: 7, offset: 185, more: true }))).toBe("later");
    expect(tracker.classify(build({ id: 7, offset: 370, more: false }))).toBe("later");
    expect(tracker.classify(build({ id: 8, offset: 185, more: false }))).toBe("later");
  });

  it("a later fragment of another packet, or another sender, is not", () => {
    const tracker = new FragmentTracker(RAW, PORT);
    tracker.classify(build({ id: 7, offset: 0, more: true }));
    expect(tracker.classify(build({ id: 9, offset: 185, more: false }))).toBe("foreign");
    expect(tracker.classify(build({ id: 7, offset: 185, more: false, source: 2 }))).toBe("foreign");
  });

  it("forgets the oldest of very many", () => {
    const tracker = new FragmentTracker(RAW, PORT);
    for (let id = 0; id < 300; id++) tracker.classify(build({ id, offset: 0, more: true }));
    expect(tracker.classify(build({ id: 0, offset: 185, more: false }))).toBe("foreign");
    expect(tracker.classify(build({ id: 299, offset: 185, more: false }))).toBe("later");
  });

  it("is cut short anywhere without harm", () => {
    const packet = build({ id: 7, offset: 0, more: true });
    for (let length = 0; length < packet.length; length++) {
      const tracker = new FragmentTracker(RAW, PORT);
      expect(["whole", "first", "foreign"]).toContain(tracker.classify(packet.subarray(0, length)));
    }
  });
});

describe("link types", () => {
  const whole = ipv4({ id: 7, offset: 0, more: false });
  const first = ipv4({ id: 7, offset: 0, more: true });
  const macs = new Array<number>(12).fill(2);

  it.each([
    ["Ethernet", ETHERNET, [...macs, 0x08, 0x00]],
    ["Ethernet with a VLAN tag", ETHERNET, [...macs, 0x81, 0x00, 0, 5, 0x08, 0x00]],
    ["Ethernet with two", ETHERNET, [...macs, 0x88, 0xa8, 0, 5, 0x81, 0x00, 0, 6, 0x08, 0x00]],
    ["Linux cooked", LINUX_SLL, new Array<number>(16).fill(0)],
    ["raw IP", RAW, []],
    ["BSD loopback", 0, [2, 0, 0, 0]],
  ])("finds the IP header behind %s", (_, linkType, header) => {
    const tracker = new FragmentTracker(linkType, PORT);
    expect(tracker.classify(behind(header, whole))).toBe("whole");
    expect(tracker.classify(behind(header, first))).toBe("first");
  });
});

describe("IPv6", () => {
  it("a first fragment of another port, or of no UDP, is foreign: the filter let it through unseen", () => {
    const tracker = new FragmentTracker(RAW, PORT);
    expect(tracker.classify(ipv6({ id: 1, offset: 0, more: true, port: 53 }))).toBe("foreign");
    expect(tracker.classify(ipv6({ id: 1, offset: 0, more: true }, 6))).toBe("foreign");
    expect(tracker.classify(ipv6({ id: 1, offset: 185, more: false }))).toBe("foreign");
  });
});
