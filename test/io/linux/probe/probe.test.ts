/** How the probes judge what they see. What the kernel answers them is looked at in `test/netns/offloads.test.ts`. */
import { describe, expect, it } from "vitest";
import { VNET_LENGTH } from "../../../../src/dataplane/arena.ts";
import { GSO_TCPV4, GSO_UDP_L4, NEEDS_CSUM, writeVnetHeader } from "../../../../src/dataplane/vnet.ts";
import { SUPER_FRAMES } from "../../../../src/io/linux/probe/super-frames.ts";
import { whatIsWrong } from "../../../../src/io/linux/probe/tap.ts";
import { type Delivery, probeUdp, whyNot } from "../../../../src/io/linux/probe/udp.ts";
import { checksum } from "../../../../src/wire/checksum.ts";
import { describeWith, shim } from "../../../helpers/needs.ts";

const NOTHING = new Uint8Array(0);
const EIO = 5;

describe("a train of datagrams", () => {
  const judge = (deliver: (train: Uint8Array, segment: number) => Delivery): string | null =>
    whyNot("UDP_SEGMENT", deliver);

  it("that arrives as it was sent is fine", () => {
    expect(judge((train) => ({ errno: 0, arrived: train }))).toBeNull();
  });

  it("that the kernel refuses is not, with the errno", () => {
    const refusing = (train: Uint8Array, segment: number) =>
      segment === 0 ? { errno: 0, arrived: train } : { errno: EIO, arrived: NOTHING };
    expect(judge(refusing)).toBe("the kernel refuses UDP_SEGMENT (EIO)");
  });

  it("that is lost is not, where a single datagram arrives", () => {
    const losing = (train: Uint8Array, segment: number) => ({ errno: 0, arrived: segment ? NOTHING : train });
    expect(judge(losing)).toBe("with UDP_SEGMENT nothing arrives");
  });

  it("whose bytes are mangled is not, also where only segments of one size are (kernels 7.0 to 7.1.4)", () => {
    const mangling = (train: Uint8Array, segment: number) => {
      const arrived = train.slice();
      if (segment > 0 && train.length % segment === 0) arrived[segment] = arrived[segment]! ^ 1;
      return { errno: 0, arrived };
    };
    expect(judge(mangling)).toBe("with UDP_SEGMENT other bytes arrive than were sent");
  });

  it("says nothing where single datagrams do not arrive either", () => {
    expect(judge(() => ({ errno: 101, arrived: NOTHING }))).toBeNull();
    expect(judge(() => ({ errno: 0, arrived: NOTHING }))).toBeNull();
  });
});

describe("a frame out of the TAP", () => {
  const payload = Uint8Array.from({ length: 250 }, (_, i) => i);

  function frame(data: Uint8Array, flags: number, gsoType: number, size: number): Uint8Array {
    const bytes = new Uint8Array(VNET_LENGTH + 14 + 20 + 8 + data.length);
    writeVnetHeader(bytes, 0, flags, gsoType, 42, size, 34, 6);
    bytes.set(data, bytes.length - data.length);
    return bytes;
  }

  it.each([
    ["alone", frame(payload, NEEDS_CSUM, 0, 0), 0],
    ["alone, finished", frame(payload, 0, 0, 0), 0],
    ["a super-frame", frame(payload, NEEDS_CSUM, GSO_UDP_L4, 100), 100],
    ["a segment that the kernel has cut itself", frame(payload.subarray(0, 100), 0, 0, 0), 100],
  ])("%s is fine", (_what, bytes, segment) => {
    expect(whatIsWrong(bytes, payload, segment)).toBeNull();
  });

  it.each([
    ["shorter", frame(payload.subarray(1), NEEDS_CSUM, 0, 0), 0, /other bytes/],
    ["of another kind", frame(payload, NEEDS_CSUM, GSO_TCPV4, 100), 100, /GSO type 1/],
    ["a super-frame that nobody asked for", frame(payload, NEEDS_CSUM, GSO_UDP_L4, 100), 0, /GSO type 5/],
    ["of another size", frame(payload, NEEDS_CSUM, GSO_UDP_L4, 90), 100, /100 bytes .* of 90/],
    ["without a word about its checksum", frame(payload, 0, GSO_UDP_L4, 100), 100, /NEEDS_CSUM/],
  ])("%s is not", (_what, bytes, segment, message) => {
    expect(whatIsWrong(bytes, payload, segment)).toMatch(message);
  });
});

describe("the super-frames", () => {
  it("have right lengths and IPv4 header checksums", () => {
    for (const [name, bytes] of Object.entries(SUPER_FRAMES)) {
      const l4 = name.startsWith("TCP") ? 20 : 8;
      const ip = name.endsWith("IPv4") ? 20 : 40;
      expect(bytes.length, name).toBe(VNET_LENGTH + 14 + ip + l4 + 300);
      if (ip === 20) expect(checksum(bytes, VNET_LENGTH + 14, 20), name).toBe(0);
    }
  });
});

describeWith([shim()], "UDP on this machine's loopback", () => {
  it.each([
    [4, "127.0.0.1", Uint8Array.of(127, 0, 0, 1)],
    [6, "::1", Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)],
  ] as const)("can do both over IPv%i", (family, address, bytes) => {
    expect(probeUdp(family, address, bytes)).toEqual({ gso: null, gro: null });
  });
});
