/** What has to be the same for a take-over: each setting that a reload cannot change is decided about. */
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../../src/agent/config/load.ts";
import { SETTINGS, type SettingName } from "../../../src/agent/config/schema.ts";
import { differences, shapeOf } from "../../../src/agent/takeover/shape.ts";
import { OFFLOAD_NAMES, type OffloadReport } from "../../../src/dataplane/offloads.ts";

const ALL_ON = Object.fromEntries(OFFLOAD_NAMES.map((name) => [name, null])) as unknown as OffloadReport;

function shape(flags: Record<string, unknown> = {}, offloads: Partial<OffloadReport> = {}) {
  const given = { vni: "1", local: "192.0.2.1", ...flags };
  const { config } = loadConfig({ profile: "agent", env: {}, path: null, flags: given });
  const uplink = { device: "eth0", mtu: 1500, address: "192.0.2.1" };
  return shapeOf(config, { uplink, offloads: { ...ALL_ON, ...offloads } });
}

/** Under which name the shape has a setting that goes by another one. */
const OTHER_NAMES: Partial<Record<SettingName, string>> = { vni: "overlays", device: "overlays" };

/** May be different: no socket and no queue of a TAP is made with them. */
const FREE: readonly SettingName[] = ["mtu", "vtepMac", "spin", "socket", "healthAddress"];

describe("the shape of an underlay", () => {
  it("has every setting that needs a restart otherwise, but for those that no socket or device is made with", () => {
    const bound = SETTINGS.filter(({ name, reload }) => reload === "restart" && !FREE.includes(name));
    const names = bound.map(({ name }) => OTHER_NAMES[name] ?? name);
    expect(Object.keys(shape())).toEqual(expect.arrayContaining(names));
    expect([...new Set(names)].sort()).toEqual(Object.keys(shape()).sort());
  });

  it("is the same for the same, whatever else is different", () => {
    const other = {
      senderCheck: "mac",
      spin: "off",
      mtu: "1400",
      logLevel: "debug",
      vtepMac: "02:00:00:00:00:01",
    };
    expect(differences([shape()], [shape(other)])).toEqual([]);
    // What is used of the others is the dataplane's own.
    expect(differences([shape()], [shape({}, { "udp-gso": "no", "tcp-coalesce": "no" })])).toEqual([]);
  });

  it.each([
    [{ port: "4789" }, {}, ["port: 8472 → 4789"]],
    [{ queues: "2" }, {}, ["queues: 1 → 2"]],
    [{ vni: "2" }, {}, ["overlays: flannel.1 (VNI 1) → flannel.2 (VNI 2)"]],
    [{ df: "inherit" }, {}, ["df: unset → inherit"]],
    [{}, { "tap-tso": "switched off" }, [expect.stringContaining("offload: tap-csum, tap-tso")]],
  ] as [Record<string, string>, Partial<OffloadReport>, unknown[]][])(
    "%j %j",
    (flags, offloads, expected) => {
      const before = shape({ queues: "1", device: flags.vni === undefined ? "x0" : undefined });
      const after = shape(
        { queues: "1", device: flags.vni === undefined ? "x0" : undefined, ...flags },
        offloads,
      );
      expect(differences([before], [after])).toEqual(expected);
    },
  );

  it("is another where one knows of something that the other does not, and where there are more underlays", () => {
    const { port: _, ...less } = shape();
    expect(differences([shape()], [less])).toEqual(["port: 8472 → not known"]);
    expect(differences([less], [shape()])).toEqual(["port: not known → 8472"]);
    expect(differences([shape()], [shape(), shape()])).toEqual(["underlays: 1 → 2"]);
  });
});
