/** Packets for whoever watches: nothing without a listener, with one a sample, and drops with their reason. */
import { describe, expect, it } from "vitest";
import { Counters } from "../../src/dataplane/counters.ts";
import { Dataplane } from "../../src/dataplane/dataplane.ts";
import { EventRing, PACKETS } from "../../src/dataplane/event-ring.ts";
import { readPacket, type SeenPacket, SNAP } from "../../src/dataplane/packet-row.ts";
import { PORTABLE } from "../../src/dataplane/sums.ts";
import { MemoryNetwork } from "../../src/io/memory/network.ts";
import { MemoryTap } from "../../src/io/memory/tap.ts";
import { hex } from "../../src/wire/bytes.ts";
import { frame, MAC_A, vxlan } from "./frames.ts";
import { OWN_MAC } from "./stages.ts";

const PORT = 8472;
const HERE = Uint8Array.of(172, 19, 0, 2);
const PEER = Uint8Array.of(172, 19, 0, 3);
const STRANGER = Uint8Array.of(172, 19, 0, 99);

/** A node with one peer, and the peer's underlay, which is ours. */
function node() {
  const network = new MemoryNetwork();
  const events = new EventRing();
  const tap = new MemoryTap({ frames: 512 });
  const underlay = network.attach({ address: HERE, port: PORT, datagrams: 512 });
  const options = {
    vni: 1,
    mac: OWN_MAC,
    mtu: 9000,
    reservedBits: "rfc",
    senderCheck: "strict",
    tos: 0,
  } as const;
  const dataplane = new Dataplane(options, tap, underlay, new Counters(), PORTABLE, events);
  dataplane.update({ op: "add", mac: MAC_A, address: PEER, port: PORT });
  const turn = (): void => {
    while (dataplane.loop.turn() > 0) while (tap.take() !== null);
  };
  return {
    events,
    dataplane,
    send(...frames: Uint8Array[]): void {
      for (const one of frames) tap.inject(one);
      turn();
    },
    /** From another node's dataplane, whose frame is for us. */
    receive(address: Uint8Array, ...frames: Uint8Array[]): void {
      const theirs = network.attach({ address, port: PORT });
      const out = new MemoryTap({ frames: 512 });
      const other = new Dataplane({ ...options, mac: MAC_A, tos: "inherit" }, out, theirs);
      other.update({ op: "add", mac: OWN_MAC, address: HERE, port: PORT });
      for (const one of frames) out.inject(one);
      while (other.loop.turn() > 0) turn();
      turn();
      theirs.close();
    },
    watch(): void {
      events.open(0, PACKETS);
      events.packets.open();
    },
    seen(): { packets: SeenPacket[]; passed: number; dropped: number } {
      const packets: SeenPacket[] = [];
      return { ...events.packets.drain((words, at) => packets.push(readPacket(words, at))), packets };
    },
  };
}

const OUT = frame({ src: OWN_MAC, dst: MAC_A });
const IN = frame({ src: MAC_A, dst: OWN_MAC });

describe("while nobody watches", () => {
  it("nothing is written down", () => {
    const n = node();
    n.send(OUT);
    n.receive(PEER, IN);
    n.receive(STRANGER, IN);
    expect(n.events.packets.words.every((word) => word === 0)).toBe(true);
  });
});

describe("somebody who watches", () => {
  it("is told what is sent: the datagram's bytes, to whom, from which port", () => {
    const n = node();
    n.watch();
    n.send(OUT);
    const { packets, passed, dropped } = n.seen();
    expect([passed, dropped]).toEqual([0, 0]);
    expect(packets).toEqual([
      expect.objectContaining({
        ...{
          direction: "tx",
          vni: 1,
          drop: null,
          isDatagram: true,
          length: OUT.length + 8,
          tos: 0,
          train: 1,
        },
        remote: { address: "172.19.0.3", port: PORT },
      }),
    ]);
    expect(packets[0]!.sourcePort).toBeGreaterThanOrEqual(49152);
    expect(hex(packets[0]!.bytes)).toBe(hex(vxlan(OUT)));
  });

  it("is told what is received, and from whom", () => {
    const n = node();
    n.watch();
    n.receive(PEER, IN);
    const { packets } = n.seen();
    expect(packets.map(({ direction, drop, remote }) => [direction, drop, remote?.address])).toEqual([
      ["rx", null, "172.19.0.3"],
    ]);
    expect(hex(packets[0]!.bytes)).toBe(hex(vxlan(IN)));
  });

  it("is told once of what is received and dropped, with the reason", () => {
    const n = node();
    n.watch();
    n.receive(STRANGER, IN);
    const { packets } = n.seen();
    expect(packets.map(({ direction, drop, vni }) => [direction, drop?.reason, vni])).toEqual([
      ["rx", "UNKNOWN_VTEP", 1],
    ]);
  });

  it("is told of a frame that never became a datagram", () => {
    const n = node();
    n.watch();
    const nowhere = frame({ src: OWN_MAC, dst: "02:00:00:00:00:77" });
    n.send(nowhere);
    const { packets } = n.seen();
    expect(packets).toEqual([
      expect.objectContaining({ direction: "tx", isDatagram: false, remote: null, length: nowhere.length }),
    ]);
    expect(packets[0]!.drop).not.toBeNull();
    expect(hex(packets[0]!.bytes)).toBe(hex(nowhere));
  });

  it("gets the beginning of what is long, and its length", () => {
    const n = node();
    n.watch();
    const long = frame({ src: OWN_MAC, dst: MAC_A, payload: 4000 });
    n.send(long);
    const [packet] = n.seen().packets;
    expect(packet!.length).toBe(long.length + 8);
    expect(hex(packet!.bytes)).toBe(hex(vxlan(long).subarray(0, SNAP)));
  });

  it("hears nothing of what was before", () => {
    const n = node();
    n.watch();
    n.send(OUT);
    n.watch();
    expect(n.seen().packets).toEqual([]);
  });
});

describe("more than there is room for", () => {
  const MANY = Array.from({ length: 200 }, () => OUT);
  const MANY_IN = Array.from({ length: 150 }, () => IN);

  it("is counted, and the next sample is spread over all that comes", () => {
    const n = node();
    n.watch();
    for (let i = 0; i < 5; i++) n.send(...MANY);
    const first = n.seen();
    expect(first.packets.length + first.passed).toBe(1000);
    expect(first.packets.length).toBe(192);
    for (let i = 0; i < 5; i++) n.send(...MANY);
    const next = n.seen();
    expect(next.packets.length + next.passed).toBe(1000);
    expect(next.packets).toHaveLength(8);
    // Few again: all of them.
    n.send(...MANY.slice(0, 20));
    n.seen();
    n.send(...MANY.slice(0, 20));
    expect(n.seen().packets).toHaveLength(20);
  });

  it("counts each datagram once, dropped or not", () => {
    const n = node();
    n.watch();
    n.receive(STRANGER, ...MANY_IN);
    n.receive(PEER, ...MANY_IN);
    n.receive(STRANGER, ...MANY_IN);
    const { packets, passed, dropped } = n.seen();
    const drops = packets.filter(({ drop }) => drop !== null).length;
    expect(drops + dropped).toBe(2 * MANY_IN.length);
    expect(packets.length - drops + passed).toBe(MANY_IN.length);
    // Drops do not thin out the sample of the others.
    n.receive(PEER, IN);
    expect(n.seen().packets).toHaveLength(1);
  });

  it("leaves room for drops", () => {
    const n = node();
    n.watch();
    for (let i = 0; i < 5; i++) n.send(...MANY);
    n.receive(STRANGER, ...Array.from({ length: 10 }, () => IN));
    const { packets, dropped } = n.seen();
    expect(packets.filter(({ drop }) => drop !== null)).toHaveLength(10);
    expect(dropped).toBe(0);
  });
});
