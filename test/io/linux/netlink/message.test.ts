/** Messages written by hand from the headers; `test/netns/monitor.full.test.ts` reads the kernel's own. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type NetlinkEvent, parseMessages } from "../../../../src/io/linux/netlink/message.ts";
import { fromHex } from "../../../../src/wire/bytes.ts";

/** A message behind its header, which is made to fit. */
function message(type: number, body: string, flags = 0, port = 0): Uint8Array {
  const bytes = fromHex(body);
  const whole = new Uint8Array(16 + bytes.length);
  const view = new DataView(whole.buffer);
  view.setUint32(0, whole.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(12, port, true);
  whole.set(bytes, 16);
  return whole;
}

function parse(...messages: Uint8Array[]): { events: NetlinkEvent[]; whole: boolean } {
  // Somewhere in a larger buffer, as what is received.
  const length = messages.reduce((sum, { length }) => sum + ((length + 3) & ~3), 0);
  const buffer = new Uint8Array(length + 64).fill(0xa5);
  let at = 8;
  for (const one of messages) {
    buffer.set(one, at);
    at += (one.length + 3) & ~3;
  }
  const events: NetlinkEvent[] = [];
  return { whole: parseMessages(new DataView(buffer.buffer, 8), at - 8, events), events };
}

const LINK = `
  00 00 0100 07000000 43100000 ffffffff  # AF_UNSPEC, ARPHRD_ETHER, index 7, up and running
  0e00 0300 666c616e6e656c2e3100 0000    # IFLA_IFNAME flannel.1
  0800 0400 aa050000                     # IFLA_MTU 1450
  0a00 0100 02cafe000001 0000            # IFLA_ADDRESS`;
const ADDRESS = `
  02 18 80 00 02000000                   # AF_INET, /24, index 2
  0800 0100 c0a80902                     # IFA_ADDRESS, the far end's
  0800 0200 c0a80901                     # IFA_LOCAL
  0800 0800 80020000                     # IFA_FLAGS`;
const ROUTE = `
  02 18 00 00 fe 03 00 01 04000000       # AF_INET, /24, table main, protocol boot, unicast, onlink
  0800 0f00 fe000000                     # RTA_TABLE
  0800 0100 0af40200                     # RTA_DST 10.244.2.0
  0800 0500 0af40200                     # RTA_GATEWAY
  0800 0400 07000000                     # RTA_OIF`;
const NEIGHBOUR = `
  02 00 0000 07000000 8000 00 01         # AF_INET, index 7, permanent
  0800 0100 0af40200                     # NDA_DST
  0a00 0200 02cafe000002 0000            # NDA_LLADDR`;

describe("messages of rtnetlink", () => {
  it("a link", () => {
    const link = { kind: "link", index: 7, name: "flannel.1", mac: "02:ca:fe:00:00:01", mtu: 1450 };
    const { events } = parse(message(16, LINK), message(17, LINK.replace("43100000", "02100000")));
    expect(events).toEqual([
      { ...link, op: "new", up: true, running: true },
      { ...link, op: "del", up: false, running: false },
    ]);
  });

  it("an address: our own, not that of the far end, with flags of 32 bits where there are some", () => {
    const { events } = parse(
      message(20, ADDRESS),
      message(21, "0a 40 80 fd 02000000  1400 0100 fe800000 00000000 00000000 00000001"),
    );
    expect(events).toEqual([
      { kind: "address", op: "new", index: 2, address: "192.168.9.1/24", flags: 0x280 },
      { kind: "address", op: "del", index: 2, address: "fe80::1/64", flags: 0x80 },
    ]);
  });

  it("a route of table main, and whether it took the place of another", () => {
    const route = { kind: "route", index: 7, dst: "10.244.2.0/24" };
    const { events } = parse(
      message(24, ROUTE),
      message(24, ROUTE, 0x100),
      message(25, ROUTE),
      message(24, ROUTE.replace("fe 03", "ff 02")),
      message(25, "0a 00 00 00 fe 09 00 01 00000000"),
    );
    expect(events).toEqual([
      { ...route, op: "new", replaces: false },
      { ...route, op: "new", replaces: true },
      { ...route, op: "del", replaces: false },
      { kind: "route", op: "del", index: 0, dst: "default", replaces: false },
    ]);
  });

  it("a neighbour, and whether somebody asked for the change", () => {
    const neighbour = { kind: "neighbour", index: 7, address: "10.244.2.0" };
    const { events } = parse(
      message(28, NEIGHBOUR, 0, 4711),
      message(29, NEIGHBOUR.replace("8000 00", "2000 00")),
    );
    expect(events).toEqual([
      { ...neighbour, op: "new", permanent: true, asked: true },
      { ...neighbour, op: "del", permanent: false, asked: false },
    ]);
  });

  it("what the bridge says of its ports and its table is left out, and so are other types", () => {
    const bridged = (text: string) => text.replace(/^\s*\S\S/, "07");
    const { events, whole } = parse(
      message(17, bridged(LINK)),
      message(28, bridged(NEIGHBOUR)),
      message(32, ROUTE),
      message(3, "00000000"),
    );
    expect(events).toEqual([]);
    expect(whole).toBe(true);
  });
});

describe("bytes that are not as they should be", () => {
  it("a message that is cut off is said to be missing, those before it count", () => {
    const cut = message(16, LINK).subarray(0, 40);
    const { events, whole } = parse(message(24, ROUTE), cut);
    expect(events).toHaveLength(1);
    expect(whole).toBe(false);
  });

  it("a length that is shorter than the header ends the reading", () => {
    const short = message(16, LINK);
    new DataView(short.buffer).setUint32(0, 4, true);
    expect(parse(short)).toEqual({ events: [], whole: false });
  });

  it("attributes that are missing, cut off or of an odd length are none", () => {
    const { events, whole } = parse(
      message(16, "00 00 0100 07000000 00000000 00000000  0600 0400 aa05 0000  ff00 0300 6161"),
      message(20, "02 18 80 00 02000000  0600 0200 c0a8 0000"),
      message(24, "02 18 00 00 fe 03 00 01 00000000  0300 0100"),
      message(28, "02 00 0000 07"),
    );
    expect(whole).toBe(true);
    expect(events).toEqual([
      { kind: "link", op: "new", index: 7, name: "", mac: "", mtu: 0, up: false, running: false },
      { kind: "address", op: "new", index: 2, address: "?/24", flags: 0x80 },
      { kind: "route", op: "new", index: 0, dst: "default", replaces: false },
    ]);
  });

  it("no bytes make it throw, nor read beyond what was received", () => {
    const types = fc.constantFrom(16, 17, 20, 21, 24, 25, 28, 29, 2, 3, 99);
    const mangled = fc
      .tuple(
        types,
        fc.constantFrom(LINK, ADDRESS, ROUTE, NEIGHBOUR),
        fc.array(fc.tuple(fc.nat(120), fc.nat(255))),
      )
      .map(([type, body, changes]) => {
        const bytes = message(type, body);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        return bytes;
      });
    const anything = fc.oneof(mangled, fc.uint8Array({ maxLength: 300 }));
    fc.assert(
      fc.property(anything, fc.nat(300), (bytes, length) => {
        const exact = bytes.slice(0, length); // a buffer of its own: a read beyond it throws
        const events: NetlinkEvent[] = [];
        parseMessages(new DataView(exact.buffer), exact.length, events);
        expect(events.length).toBeLessThanOrEqual(Math.ceil(exact.length / 16));
      }),
      { numRuns: 5000 },
    );
  });
});
