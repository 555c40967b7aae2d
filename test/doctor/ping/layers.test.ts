/** Which layer fails, judged from what was measured. */
import { describe, expect, it } from "vitest";
import type { PingEvidence } from "../../../src/doctor/ping/evidence.ts";
import { failing, judgeLayers } from "../../../src/doctor/ping/layers.ts";
import { findTarget } from "../../../src/doctor/ping/target.ts";
import { healthyStatus } from "../../agent/api/fake-agent.ts";

const answered = (address: string) => ({ address, sent: 3, times: [0.2, 0.1, 0.3], refused: "" });
const silent = (address: string) => ({ address, sent: 3, times: [], refused: "" });

function measured(changes: Partial<PingEvidence> = {}): PingEvidence {
  return {
    target: findTarget("172.19.0.3", healthyStatus())!,
    ...{ port: 8472, family: 4, udp: "", direct: false, otherSign: null },
    underlay: answered("172.19.0.3"),
    inner: answered("10.244.2.0"),
    way: { device: "flannel.1", said: "" },
    counted: { txFrames: 3, rxFrames: 3, tx: {}, rx: {} },
    mtu: { underlay: 1500, inner: 1450, device: 1450, needed: 1500 },
    ...changes,
  };
}

const states = (evidence: PingEvidence) => judgeLayers(evidence).map(({ state }) => state);
const SILENT = { inner: silent("10.244.2.0"), mtu: null };

function cause(
  changes: Partial<PingEvidence>,
): [string | undefined, string | undefined, string | null | undefined] {
  const layer = failing(judgeLayers(measured({ ...SILENT, ...changes })));
  return [layer?.name, layer?.text, layer?.remedy];
}

describe("the layers of a peer", () => {
  it("are all fine, with the round trips of each", () => {
    const layers = judgeLayers(measured());
    expect(layers.map(({ state }) => state)).toEqual(["ok", "ok", "ok", "ok", "ok"]);
    expect(layers[0]!.time).toEqual({ min: 0.1, avg: expect.closeTo(0.2), max: 0.3 });
    expect(failing(layers)).toBeUndefined();
  });

  it.each([
    ["underlay", { underlay: silent("172.19.0.3"), udp: "" }, /off or cut off/],
    ["underlay", { underlay: { ...silent("172.19.0.3"), refused: "ENETUNREACH" } }, /no route to it/],
    ["udp", { udp: "ECONNREFUSED" }, /port 8472 refused/],
    ["udp", { udp: "EPERM" }, /a firewall of this node/],
    ["vxlan", {}, /3 frames left, nothing came back/],
    ["vxlan", { way: { device: "tun0", said: "" } }, /leads through tun0, not through flannel\.1/],
    [
      "vxlan",
      { way: { device: "", said: "Network is unreachable" } },
      /goes nowhere: Network is unreachable/,
    ],
    ["vxlan", { counted: { txFrames: 0, rxFrames: 0, tx: {}, rx: {} } }, /no frame left by flannel\.1/],
    ["vxlan", { counted: { txFrames: 0, rxFrames: 0, tx: { NO_TX_TARGET: 3 }, rx: {} } }, /has no row/],
    [
      "vxlan",
      { counted: { txFrames: 3, rxFrames: 0, tx: {}, rx: { UNKNOWN_VTEP: 3 } } },
      /3 datagrams .* UNKNOWN_VTEP/,
    ],
    ["inner", { otherSign: { what: "10.244.2.0 refused a connection", ms: 1 } }, /VXLAN works/],
    ["inner", { direct: true }, /does not answer/],
  ] as const)("%s fails: %o", (name, changes, text) => {
    expect(cause(changes)).toEqual([name, expect.stringMatching(text), expect.any(String)]);
  });

  it("claims nothing of a port that does not answer, and takes no dropped ping for a host that is off", () => {
    expect(states(measured(SILENT)).slice(0, 2)).toEqual(["ok", "unknown"]);
    expect(states(measured({ underlay: silent("172.19.0.3"), mtu: null }))).toEqual([
      "unknown",
      "ok",
      "ok",
      "ok",
    ]);
  });

  it("skips what it cannot try", () => {
    expect(states(measured({ inner: null, way: null, mtu: null }))).toEqual([
      ...["ok", "unknown", "skipped", "skipped"],
    ]);
    expect(states(measured({ direct: true }))[2]).toBe("skipped");
  });

  it.each([
    [{ underlay: 1400, inner: 1350 }, "narrow", /`mtu: 1350`/],
    [{ underlay: 1400, inner: 1450 }, "narrow", /`mtu: 1350`/],
    [{ underlay: null, inner: 1300 }, "narrow", /`mtu: 1300`/],
    [{ underlay: 9000, inner: 1450 }, "ok", null],
    [{ underlay: null, inner: null }, "skipped", null],
  ] as const)("the path MTU %o is %s", (found, state, remedy) => {
    const layer = judgeLayers(measured({ mtu: { ...found, device: 1450, needed: 1500 } })).at(-1)!;
    expect([layer.state, layer.remedy]).toEqual([
      state,
      remedy === null ? null : expect.stringMatching(remedy),
    ]);
  });
});
