/** Bytes of every kind that we know, from each layer that a dump may start with, are taken for what they are. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EXAMPLES } from "../../src/teach/examples.ts";
import { guessLayer } from "../../src/teach/guess.ts";
import { decodePacket } from "../../src/wire/packet.ts";
import { isHeader } from "../../src/wire/walk.ts";
import { SAMPLES } from "../wire/samples.ts";

const FRAMES = {
  ...SAMPLES,
  ...Object.fromEntries(Object.entries(EXAMPLES).map(([name, { bytes }]) => [`example ${name}`, bytes])),
};

/** Where in a frame its IP header, VXLAN header and inner frame are. */
function places(frame: Uint8Array) {
  const parts = decodePacket(frame).parts.filter(isHeader);
  const at = (names: RegExp, level = 0) =>
    parts.find(({ table, level: l }) => l === level && names.test(table.name))?.at;
  return { ip: at(/^ipv[46]$/), vxlan: at(/^vxlan/), inner: at(/^ethernet$/, 1) };
}

describe("a guess", () => {
  for (const [name, frame] of Object.entries(FRAMES)) {
    it(name, () => {
      const { ip, vxlan, inner } = places(frame);
      expect(guessLayer(frame).layer).toBe("ethernet");
      if (ip !== undefined) expect(guessLayer(frame.subarray(ip)).layer).toBe("ip");
      if (vxlan !== undefined) expect(guessLayer(frame.subarray(vxlan)).layer).toBe("udp-payload");
      if (inner !== undefined) expect(guessLayer(frame.subarray(inner)).layer).toBe("ethernet");
    });
  }

  it("of the study's ping is sure from each of its layers, and says why", () => {
    const { bytes } = EXAMPLES.ping;
    for (const at of [0, 14, 42, 50, 64]) expect(guessLayer(bytes.subarray(at)).sure).toBe(true);
    expect(guessLayer(bytes.subarray(42))).toEqual({
      layer: "udp-payload",
      words: "what a UDP datagram carries: a VXLAN header and a frame",
      why: "read so it is VXLAN, Ethernet, IPv4, ICMP echo, and 2 checksums are right",
      sure: true,
    });
  });

  it("takes any bytes for something", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(guessLayer(bytes).why).not.toBe("");
      }),
      { seed: 7, numRuns: 300 },
    );
  });
});
