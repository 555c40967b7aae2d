import { describe, expect, it, vi } from "vitest";
import { putU16, u16 } from "../../src/wire/bytes.ts";
import { fold } from "../../src/wire/checksum.ts";
import { checksumsRight, frame, MAC_B, vxlan } from "./frames.ts";
import { Stages } from "./stages.ts";

const PEER_B = [172, 19, 0, 3];

function stages(...parameters: ConstructorParameters<typeof Stages>): Stages {
  const made = new Stages(...parameters);
  made.peer(MAC_B, PEER_B);
  return made;
}

describe("encap", () => {
  it("tells apart MACs that differ in their first bytes only, in one batch", () => {
    const s = new Stages();
    const peers = ["02:00:00:00:00:0b", "06:00:00:00:00:0b", "02:01:00:00:00:0b"].map((mac, i) =>
      s.peer(mac, [172, 19, 0, 3 + i]),
    );
    const to = (dst: string) => ({ bytes: frame({ dst }) });
    const macs = ["02:00:00:00:00:0b", "06:00:00:00:00:0b", "02:01:00:00:00:0b", "02:00:00:00:00:0b"];
    const outputs = s.transmit(...macs.map(to));
    expect(outputs.map(({ peer }) => peer)).toEqual([peers[0], peers[1], peers[2], peers[0]]);
  });

  it("has the rows of a large FDB fetched for a whole batch, and only of a large one", () => {
    const s = stages();
    const far = s.peer("02:00:00:00:00:0c", [172, 19, 0, 4]);
    const expected = vi.spyOn(s.fdb, "expect");
    const prefetch = vi.spyOn(s.fdb, "prefetch");
    const batch = ["0b", "0c", "0b"].map((last) => ({ bytes: frame({ dst: `02:00:00:00:00:${last}` }) }));
    const before = s.transmit(...batch);
    expect(prefetch).not.toHaveBeenCalled();
    for (let lo = 0; !s.fdb.large; lo++) s.fdb.add(1, 0x0242, lo, far);
    const lookup = vi.spyOn(s.fdb, "lookup");
    expect(s.transmit(...batch)).toEqual(before);
    expect(expected.mock.calls).toEqual([0x0b, 0x0c, 0x0b].map((last) => [1, 0x0200, last]));
    expect(prefetch.mock.invocationCallOrder[0]).toBeLessThan(lookup.mock.invocationCallOrder[0]!);
  });

  it("puts the eight bytes of RFC 7348 in front of the frame, and nothing else", () => {
    const s = stages({ vni: 1 });
    const inner = frame({ protocol: "icmp", payload: 56 });
    const [out] = s.transmit({ bytes: inner });
    expect(inner.length).toBe(98);
    expect(out!.body).toEqual(vxlan(inner, 1));
    expect(out!.body.length).toBe(106); // the study's ping: UDP payload of 106 bytes
    expect(s.leaked).toBe(0);
  });

  it("sends a frame to the VTEP of its destination MAC", () => {
    const s = stages();
    const far = s.peer("02:00:00:00:00:0c", [172, 19, 0, 4]);
    const [to] = s.transmit({ bytes: frame({ dst: "02:00:00:00:00:0c" }) });
    expect(to!.peer).toBe(far);
  });

  it("drops what has no row as NO_TX_TARGET, and goes on with the next", () => {
    const s = stages();
    const outputs = s.transmit(
      { bytes: frame({ dst: "ff:ff:ff:ff:ff:ff" }) },
      { bytes: frame() },
      { bytes: frame({ dst: "02:00:00:00:00:0f" }) },
    );
    expect(outputs).toHaveLength(1);
    expect(s.drops("tx", "NO_TX_TARGET")).toBe(2);
    expect(s.counters.get("txFrames")).toBe(1);
    expect(s.leaked).toBe(0);
  });

  it("lets pass a full MTU, with and without a VLAN tag, and drops one byte more as PKT_TOO_BIG", () => {
    const s = stages();
    const full = 1450 - 28;
    expect(s.transmit({ bytes: frame({ payload: full }) })).toHaveLength(1);
    expect(s.transmit({ bytes: frame({ payload: full, vlan: 5 }) })).toHaveLength(1);
    expect(s.transmit({ bytes: frame({ payload: full + 1 }) })).toHaveLength(0);
    expect(s.transmit({ bytes: frame({ payload: full + 1, vlan: 5 }) })).toHaveLength(0);
    expect(s.drops("tx", "PKT_TOO_BIG")).toBe(2);
  });

  it("drops a super-frame that is none of its gso_type as TAP_GSO", () => {
    const s = stages();
    const vnet = [1, 4, 54, 0, 0x72, 5, 34, 0, 16, 0, 0, 0]; // TCP over IPv6
    expect(
      s.transmit({ bytes: frame({ protocol: "tcp", payload: 4000, checksum: "partial" }), vnet }),
    ).toEqual([]);
    expect(s.drops("tx", "TAP_GSO")).toBe(1);
  });

  it("drops a frame without an Ethernet header as INNER_TOO_SMALL", () => {
    const s = stages();
    expect(s.transmit({ bytes: frame().subarray(0, 13) }, { bytes: new Uint8Array(0) })).toEqual([]);
    expect(s.drops("tx", "INNER_TOO_SMALL")).toBe(2);
    expect(s.leaked).toBe(0);
  });

  it.each(["tcp", "udp"] as const)("finishes a partial %s checksum, as a UDP socket cannot", (protocol) => {
    for (const version of [4, 6] as const) {
      for (const payload of [0, 1, 99, 1000]) {
        const s = stages();
        const l3 = version === 4 ? 20 : 40;
        const vnet = [1, 0, 0, 0, 0, 0, 14 + l3, 0, protocol === "tcp" ? 16 : 6, 0, 0, 0];
        const bytes = frame({ protocol, version, payload, checksum: "partial" });
        const [out] = s.transmit({ bytes, vnet });
        expect(checksumsRight(out!.body.subarray(8))).toBe(true);
      }
    }
  });

  it.each([
    ["tcp", 16, 0],
    ["udp", 6, 0xffff],
  ] as const)("finishes a %s checksum that comes to 0", (protocol, offset, expected) => {
    const at = 14 + 20 + offset;
    const whole = frame({ protocol, payload: 100 });
    const [checksum, last] = [u16(whole, at), whole.length - 2];
    const bytes = frame({ protocol, payload: 100, checksum: "partial" });
    // What the checksum was goes into the payload: the sum of all words is then 0xffff without it.
    putU16(bytes, last, fold(u16(bytes, last) + checksum));
    const [out] = stages().transmit({ bytes, vnet: [1, 0, 0, 0, 0, 0, 34, 0, offset, 0, 0, 0] });
    expect(u16(out!.body, 8 + at)).toBe(expected);
  });

  it("leaves a frame alone whose vnet header points outside it", () => {
    const s = stages();
    const bytes = frame();
    const [out] = s.transmit({ bytes, vnet: [1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0] });
    expect(out!.body.subarray(8)).toEqual(bytes);
  });

  describe("outer TOS", () => {
    it("carries the inner ECN field outwards, CE as ECT(0), DSCP 0 (INET_ECN_encapsulate)", () => {
      const outer = [0, 1, 2, 3].map(
        (ecn) => stages().transmit({ bytes: frame({ tos: 0xb8 | ecn }) })[0]!.tos,
      );
      expect(outer).toEqual([0, 1, 2, 2]);
    });

    it("with `tos` a number: its DSCP; with `inherit`: the inner one's; for IPv4 and IPv6, behind a tag too", () => {
      for (const version of [4, 6] as const) {
        for (const extra of [{}, { vlan: 7 }]) {
          const bytes = frame({ version, tos: 0xb9, ...extra });
          expect(stages({ tos: 0x28 }).transmit({ bytes })[0]!.tos).toBe(0x29);
          expect(stages({ tos: "inherit" }).transmit({ bytes })[0]!.tos).toBe(0xb9);
        }
      }
    });

    it("is 0 for what is no IP, and where the underlay cannot set it", () => {
      const arp = frame({ tos: 0xff });
      arp.set([0x08, 0x06], 12);
      expect(stages({ tos: "inherit" }).transmit({ bytes: arp })[0]!.tos).toBe(0);
      const [out] = stages({ tos: 0xff }, { sendTos: false }).transmit({ bytes: frame({ tos: 3 }) });
      expect(out!.tos).toBe(0);
    });

    it("can change while packets flow", () => {
      const s = stages();
      s.encap.setPolicy({ tos: 0x40 });
      expect(s.transmit({ bytes: frame() })[0]!.tos).toBe(0x40);
    });
  });

  describe("source port (RFC 7348 section 5)", () => {
    it("is the same for one flow and differs between flows, 49152 to 65535", () => {
      const s = stages();
      const ports = Array.from(
        { length: 200 },
        (_, i) => s.transmit({ bytes: frame({ sourcePort: 1000 + i }) })[0]!.port,
      );
      const again = s.transmit({ bytes: frame({ sourcePort: 1000, payload: 7 }) })[0]!.port;
      expect(again).toBe(ports[0]);
      expect(Math.min(...ports)).toBeGreaterThanOrEqual(49152);
      expect(Math.max(...ports)).toBeLessThanOrEqual(65535);
      expect(new Set(ports).size).toBeGreaterThan(190);
    });

    it("is left to the socket where the underlay cannot set it", () => {
      expect(stages({}, { sourcePort: false }).transmit({ bytes: frame() })[0]!.port).toBe(0);
    });
  });
});
