/** The words of `ip neigh`, in and out, and the lines of `poplin events`. */
import { describe, expect, it } from "vitest";
import { eventLine } from "../../src/cli/events.ts";
import { neighbourJson, neighbourLines, parseNeighbourChange } from "../../src/cli/neigh-words.ts";

const MAC = "02:00:00:00:00:05";

describe("what is typed", () => {
  it.each([
    [`10.0.0.5 lladdr ${MAC}`],
    [`10.0.0.5 lladdr ${MAC} nud permanent`],
    [`10.0.0.5 lladdr ${MAC} PERMANENT`],
  ])("%s", (text) => {
    const change = { op: "add", address: "10.0.0.5", mac: MAC };
    expect(parseNeighbourChange("add", text.split(" "))).toEqual(change);
  });

  it("of a row to delete only the address counts", () => {
    const words = ["fd00::5", "lladdr", MAC];
    expect(parseNeighbourChange("del", words)).toEqual({ op: "del", address: "fd00::5" });
  });

  it.each([
    ["", "the address is missing"],
    ["10.0.0.5", "the MAC address is missing"],
    ["10.0.0.5 lladdr", '"lladdr" needs a value'],
    [`10.0.0.5 lladdr ${MAC} via eth0`, 'unknown word "via"'],
    [`10.0.0.5 lladdr ${MAC} nud stale`, "permanent"],
    [`10.0.0.5 ladr ${MAC}`, 'unknown word "ladr"'],
  ])("%j is refused", (text, message) => {
    const words = text.split(" ").filter((word) => word !== "");
    expect(() => parseNeighbourChange("add", words)).toThrow(message);
  });
});

describe("what is shown", () => {
  const rows = ["fd00::5", "10.0.0.10", "10.0.0.9"].map((address) => ({ vni: 1, address, mac: MAC }));

  it("as `ip neigh show dev` does, by number", () => {
    expect(neighbourLines(rows)).toEqual([
      `10.0.0.9 lladdr ${MAC} PERMANENT`,
      `10.0.0.10 lladdr ${MAC} PERMANENT`,
      `fd00::5 lladdr ${MAC} PERMANENT`,
    ]);
  });

  it("as `ip -j neigh` does", () => {
    expect(neighbourJson(rows.slice(2), "flannel.1")).toEqual([
      { dst: "10.0.0.9", dev: "flannel.1", lladdr: MAC, state: ["PERMANENT"] },
    ]);
  });

  it("events, a line each", () => {
    const at = "2026-11-20T00:00:00.000Z";
    const lines = [
      eventLine({ type: "l2miss", vni: 1, dev: "flannel.1", mac: MAC, at }),
      eventLine({ type: "l3miss", vni: 1, dev: "flannel.1", address: "10.0.0.5", at }),
      eventLine({ type: "lost", count: 3, at }),
    ];
    expect(lines).toEqual([
      `l2miss lladdr ${MAC} vni 1 dev flannel.1`,
      "l3miss 10.0.0.5 vni 1 dev flannel.1",
      "lost 3",
    ]);
  });
});
