import { describe, expect, it } from "vitest";
import { overlayMtu, overlayOverhead } from "../../src/control/mtu.ts";

describe("overlay MTU (RFC 7348 section 4.3)", () => {
  it("takes 50 over IPv4 and 70 over IPv6", () => {
    expect(overlayOverhead(4)).toBe(50);
    expect(overlayOverhead(6)).toBe(70);
    expect(overlayMtu(null, 1500, 4)).toEqual({ mtu: 1450, warning: null });
    expect(overlayMtu(null, 1500, 6)).toEqual({ mtu: 1430, warning: null });
  });

  it("takes the configured one, and warns when it does not fit the uplink", () => {
    expect(overlayMtu(1400, 1500, 4)).toEqual({ mtu: 1400, warning: null });
    expect(overlayMtu(1450, 1500, 6)).toEqual({ mtu: 1450, warning: expect.stringMatching(/only 1430 fit/) });
  });
});
