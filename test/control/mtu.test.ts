import { describe, expect, it } from "vitest";
import { OverlayMtuError, overlayMtu, overlayOverhead } from "../../src/control/mtu.ts";

describe("overlay MTU (RFC 7348 section 4.3)", () => {
  it("takes 50 over IPv4 and 70 over IPv6", () => {
    expect(overlayOverhead(4)).toBe(50);
    expect(overlayOverhead(6)).toBe(70);
    expect(overlayMtu(null, 1500, 4)).toEqual({ mtu: 1450, warning: null });
    expect(overlayMtu(null, 1500, 6)).toEqual({ mtu: 1430, warning: null });
  });

  it("is never more than a datagram holds, whatever the uplink says", () => {
    expect(overlayMtu(null, 65_535, 4).mtu).toBe(65_485);
    expect(overlayMtu(null, 65_536, 4).mtu).toBe(65_485); // lo
    expect(overlayMtu(null, 2 ** 31 - 1, 6).mtu).toBe(65_485);
    expect(overlayMtu(65_485, 65_536, 4).warning).toBeNull();
  });

  it("is refused where too little is left, naming the uplink and what it has", () => {
    expect(overlayMtu(null, 118, 4).mtu).toBe(68);
    expect(overlayMtu(null, 138, 6).mtu).toBe(68);
    const tooSmall = () => overlayMtu(null, 137, 6, "wan0");
    expect(tooSmall).toThrowError(OverlayMtuError);
    expect(tooSmall).toThrowError(
      expect.objectContaining({
        code: "OVERLAY_MTU_TOO_SMALL",
        message: expect.stringContaining("wan0 has an MTU of 137"),
        remedy: expect.stringContaining("138 or more"),
      }),
    );
    expect(overlayMtu(68, 100, 4)).toEqual({ mtu: 68, warning: expect.stringMatching(/only 50 fit/) });
  });

  it("takes the configured one, and warns when it does not fit the uplink", () => {
    expect(overlayMtu(1400, 1500, 4)).toEqual({ mtu: 1400, warning: null });
    expect(overlayMtu(1450, 1500, 6)).toEqual({ mtu: 1450, warning: expect.stringMatching(/only 1430 fit/) });
  });
});
