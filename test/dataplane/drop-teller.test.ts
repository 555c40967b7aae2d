/** What is told of a packet that is dropped, and that it is what the packet says. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Counters, dropIndex } from "../../src/dataplane/counters.ts";
import { DropTeller } from "../../src/dataplane/drop-teller.ts";
import { DROPPED, EventRing } from "../../src/dataplane/event-ring.ts";
import { ADDRESS_BYTES, writeSockaddr } from "../../src/fdb/sockaddr.ts";
import { frame, MAC_A, MAC_B, vxlan } from "./frames.ts";
import { droppedOf, OWN_MAC, Stages } from "./stages.ts";

const STRANGER = [172, 19, 0, 99];
const NOBODY_LISTENS = 0;

/** Stages with one peer, and somebody who listens. */
function stages(...parameters: ConstructorParameters<typeof Stages>): Stages {
  const made = new Stages(...parameters);
  made.peer(MAC_A, [172, 19, 0, 3]);
  made.events.open(0, DROPPED);
  return made;
}

describe("a datagram that is dropped", () => {
  it("is told with its sender, its header, its MACs, its addresses and its ports", () => {
    const s = stages();
    const inner = frame({ src: MAC_A, dst: OWN_MAC, protocol: "udp", payload: 10 });
    s.receive({ bytes: vxlan(inner), from: STRANGER });
    expect(s.told()).toEqual([
      {
        direction: "rx",
        reason: "UNKNOWN_VTEP",
        errno: 0,
        remote: { address: "172.19.0.99", port: 8472 },
        header: { flags: 0x08000000, vni: 1 },
        length: inner.length,
        frame: { source: MAC_A, destination: OWN_MAC, etherType: 0x0800 },
        packet: {
          source: "10.244.1.2",
          destination: "10.244.2.5",
          protocol: 17,
          ports: { source: 40000, destination: 5201 },
        },
      },
    ]);
  });

  it("has its own VNI in it, and no more than its length allows", () => {
    const s = stages();
    const whole = vxlan(frame(), 0xabcdef, 0x09);
    for (const length of [0, 7, 8, 8 + 13, 8 + 14, whole.length]) {
      s.receive({ bytes: whole.subarray(0, length), from: [10, 0, 0, length] });
    }
    const told = s.told();
    expect(told.map(({ reason, length }) => [reason, length])).toEqual([
      ["PKT_TOO_SMALL", 0],
      ["PKT_TOO_SMALL", 0],
      ...[0, 13, 14, whole.length - 8].map((length) => ["VXLAN_VNI_NOT_FOUND", length]),
    ]);
    expect(told.map(({ header }) => header)).toEqual([
      null,
      null,
      ...new Array(4).fill({ flags: 0x09000000, vni: 0xabcdef }),
    ]);
    expect(told.map((one) => one.frame !== null)).toEqual([false, false, false, false, true, true]);
    expect(told.map((one) => one.packet !== null)).toEqual([false, false, false, false, false, true]);
  });

  it("over IPv6 has addresses of IPv6", () => {
    const s = stages();
    const from = [0xfd, ...new Array(14).fill(0), 9];
    s.receive({ bytes: vxlan(frame({ version: 6, protocol: "tcp" })), from });
    expect(s.told()).toMatchObject([
      {
        remote: { address: "fd00::9" },
        frame: { etherType: 0x86dd },
        packet: { source: "fd00::1", destination: "fd00::2", protocol: 6, ports: { source: 40000 } },
      },
    ]);
  });

  it("is told in order with those before it, and costs nothing but its count while nobody listens", () => {
    const s = stages();
    s.events.listen(NOBODY_LISTENS);
    s.receive({ bytes: vxlan(frame()), from: STRANGER });
    s.events.listen(DROPPED);
    s.receive({ bytes: vxlan(frame(), 1, 0) }, { bytes: vxlan(frame()) }, { bytes: vxlan(frame(), 2) });
    expect(s.told().map(({ reason }) => reason)).toEqual(["VXLAN_INVALID_HDR", "VXLAN_VNI_NOT_FOUND"]);
    expect(s.drops("rx", "UNKNOWN_VTEP")).toBe(1);
  });

  it("is told once of many that are alike, whatever their ports and lengths", () => {
    const s = stages();
    for (let payload = 0; payload < 100; payload++) {
      s.receive({ bytes: vxlan(frame({ payload })), from: STRANGER });
      s.receive({ bytes: vxlan(frame({ payload })), from: [172, 19, 0, 98] });
    }
    expect(s.told().map(({ remote }) => remote!.address)).toEqual(["172.19.0.99", "172.19.0.98"]);
    expect(s.drops("rx", "UNKNOWN_VTEP")).toBe(200);
  });
});

describe("a frame that is dropped", () => {
  it("is told with what is in it", () => {
    const s = stages();
    s.transmit({ bytes: frame({ dst: MAC_B, protocol: "tcp" }) });
    expect(s.told()).toMatchObject([
      {
        direction: "tx",
        reason: "NO_TX_TARGET",
        remote: null,
        header: null,
        frame: { destination: MAC_B },
        packet: { protocol: 6, ports: { source: expect.any(Number) } },
      },
    ]);
  });

  it("that asks for a neighbour says who asks for whom", () => {
    const s = stages();
    const macs = [...new Array(6).fill(0xff), 2, 0, 0, 0, 0, 1];
    const who = [2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2];
    const arp = [...macs, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, ...who];
    s.transmit({ bytes: Uint8Array.from(arp) });
    s.transmit({ bytes: Uint8Array.from(arp.slice(0, -1)) });
    const [whole, cut] = s.told();
    expect(whole).toMatchObject({
      frame: { destination: "ff:ff:ff:ff:ff:ff", etherType: 0x0806 },
      packet: { source: "10.0.0.1", destination: "10.0.0.2", protocol: null, ports: null },
    });
    expect(cut).toMatchObject({ frame: { etherType: 0x0806 }, packet: null });
  });
});

it("whatever is dropped is counted, is told, and can be read", () => {
  const counters = new Counters();
  const events = new EventRing();
  const bytes = new Uint8Array(4096);
  const drops = new DropTeller(counters, events, bytes, 1);
  const address = new Uint8Array(ADDRESS_BYTES);
  const counter = dropIndex("tx", "UNDERLAY_REFUSED");
  const packet = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    // Random bytes alone would hardly ever be an IP packet.
    fc.tuple(fc.boolean(), fc.uint8Array({ maxLength: 100 })).map(([six, noise]) => {
      const usual = vxlan(frame({ version: six ? 6 : 4 }));
      usual.set(noise.subarray(0, usual.length), Math.max(0, usual.length - noise.length));
      return usual;
    }),
  );
  fc.assert(
    fc.property(packet, fc.nat(0xffff), fc.boolean(), (datagram, errno, v6) => {
      bytes.fill(0xaa).set(datagram, 100);
      writeSockaddr(address, 0, new Uint8Array(v6 ? 16 : 4).fill(7), 8472);
      // Another second each time: nothing is a repetition.
      events.open(counters.values[counter]! * 1000, DROPPED);
      drops.refused(counter, errno, address, 0, 100, datagram.length, 0);
      const [told, ...more] = droppedOf(events);
      expect(more).toEqual([]);
      expect(told).toMatchObject({ direction: "tx", reason: "UNDERLAY_REFUSED", errno });
      expect(told!.length).toBe(Math.max(0, datagram.length - 8));
      expect(told!.header === null).toBe(datagram.length < 8);
      expect(told!.frame === null).toBe(datagram.length < 8 + 14);
    }),
    { numRuns: 2000, seed: 20 },
  );
  expect(counters.drops("tx", "UNDERLAY_REFUSED")).toBe(2000);
});
