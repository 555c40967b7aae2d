import { describe, expect, it } from "vitest";
import { checkChange, refused } from "../../src/agent/fdb-change.ts";

const OWN = { mac: "0e:2a:00:00:00:77", address: "192.0.2.77" };

describe("a change by hand", () => {
  it("comes out in canonical text, whatever way its MAC and address were written", () => {
    const change = { op: "add", mac: "0E-2A-00-00-00-01", dst: "FD00:0::0001" } as const;
    expect(checkChange(change, OWN)).toEqual({ op: "add", mac: "0e:2a:00:00:00:01", dst: "fd00::1" });
    expect(checkChange({ op: "del", mac: "0e:2a:00:00:00:01" }, OWN)).toEqual({
      op: "del",
      mac: "0e:2a:00:00:00:01",
    });
  });

  it.each([
    ["BAD_MAC", { mac: "0e:2a:00:00:00", dst: "192.0.2.1" }],
    ["BAD_ADDRESS", { mac: "01:00:5e:00:00:01", dst: "0.0.0.0" }],
    ["BAD_ADDRESS", { mac: "0e:2a:00:00:00:01", dst: "192.0.2" }],
    ["BAD_ADDRESS", { mac: "0e:2a:00:00:00:01", dst: "224.0.0.1" }],
    ["BAD_ADDRESS", { mac: "0e:2a:00:00:00:01", dst: "0.0.0.0" }],
    ["BAD_MAC", { mac: OWN.mac, dst: "192.0.2.1" }],
    ["BAD_ADDRESS", { mac: "0e:2a:00:00:00:01", dst: OWN.address }],
  ] as const)("is refused as %s: %o", (code, change) => {
    expect(() => checkChange({ op: "add", ...change }, OWN)).toThrowError(expect.objectContaining({ code }));
  });

  it("may name several VTEPs, or a multicast group, for all zeros and for a group's MAC", () => {
    for (const mac of ["00:00:00:00:00:00", "01:00:5e:00:00:01"]) {
      for (const dst of ["192.0.2.1", "239.1.1.1"]) {
        for (const op of ["append", "del"] as const) {
          expect(checkChange({ op, mac, dst }, OWN)).toEqual({ op, mac, dst });
        }
      }
    }
  });

  it("is explained when the dataplane refuses it", () => {
    const change = { op: "add", mac: "0e:2a:00:00:00:01", dst: "fd00::1" } as const;
    expect(refused("FDB_EXISTS", change, 4)).toMatchObject({
      code: "ROW_EXISTS",
      message: "0e:2a:00:00:00:01: there is a row for this MAC already",
    });
    expect(refused("FDB_MISSING", change, 4)).toMatchObject({ code: "NO_SUCH_ROW" });
    const family = refused("FDB_FAMILY", change, 4);
    expect(family).toMatchObject({ code: "WRONG_FAMILY", remedy: "give an IPv4 address" });
    expect(family.message).toBe("fd00::1: the underlay's socket is of the other address family");
  });
});
