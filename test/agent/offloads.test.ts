import { describe, expect, it } from "vitest";
import { decideOffloads, inUse, type OffloadSettings, reportAtThisMoment } from "../../src/agent/offloads.ts";
import { everyOffload, OFFLOAD_NAMES, usualOffloads } from "../../src/dataplane/offloads.ts";

const ALL_ON: OffloadSettings = {
  offload: everyOffload(true),
  underlay: "batch",
  udpChecksum: "computed",
  family: 4,
  port: 8472,
};

/** What is off, with its reason. */
function off(settings: Partial<OffloadSettings>, tried: Parameters<typeof decideOffloads>[1] = {}) {
  const report = decideOffloads({ ...ALL_ON, ...settings }, tried);
  expect(Object.keys(report)).toEqual(OFFLOAD_NAMES);
  return Object.fromEntries(Object.entries(report).filter(([, why]) => why !== null));
}

describe("offloads in use", () => {
  it("all, where nothing speaks against them", () => {
    expect(off({})).toEqual({});
    expect(inUse(decideOffloads(ALL_ON, {}))).toEqual(everyOffload(true));
  });

  it("what is switched off says so, whatever the probes found", () => {
    const report = off({ offload: { ...everyOffload(true), "udp-gso": false } }, { "udp-gso": "EIO" });
    expect(report).toEqual({ "udp-gso": "switched off" });
    const none = decideOffloads({ ...ALL_ON, offload: everyOffload(false) }, {});
    expect(inUse(none)).toEqual(everyOffload(false));
  });

  it("what a probe found is the reason", () => {
    expect(off({}, { "tap-uso": "too old", "tcp-coalesce": "EINVAL", "udp-gro": null })).toEqual({
      "tap-uso": "too old",
      "tcp-coalesce": "EINVAL",
    });
  });

  it("super-frames need unfinished checksums", () => {
    expect(off({ offload: { ...everyOffload(true), "tap-csum": false } })).toEqual({
      "tap-csum": "switched off",
      "tap-tso": "it needs tap-csum",
      "tap-uso": "it needs tap-csum",
      hairpin: "it needs tap-tso",
    });
  });

  it("the underlay and a zero checksum rule some out", () => {
    expect(off({ underlay: "raw", udpChecksum: "zero" })).toEqual({
      "udp-gso": "the raw underlay sends datagrams one by one",
      hairpin: "only the batch underlay over IPv4 can do it",
    });
    expect(off({ underlay: "dgram" }, { "udp-gro": null })).toEqual({
      "udp-gso": "the dgram underlay sends datagrams one by one",
      "udp-gro": "the dgram underlay receives datagrams one by one",
      hairpin: "only the batch underlay over IPv4 can do it",
    });
    expect(off({ family: 6 })).toEqual({ hairpin: "only the batch underlay over IPv4 can do it" });
    expect(off({ udpChecksum: "zero" })).toEqual({ "udp-gso": "impossible with `udpChecksum: zero`" });
  });

  it("hairpin is for TCP super-frames of batch over IPv4", () => {
    const hairpin = (settings: Partial<OffloadSettings>, tried = {}) =>
      decideOffloads({ ...ALL_ON, offload: everyOffload(true), ...settings }, tried).hairpin;
    expect(hairpin({})).toBeNull();
    expect(hairpin({ offload: usualOffloads() })).toBe("switched off");
    expect(hairpin({ family: 6 })).toBe("only the batch underlay over IPv4 can do it");
    expect(hairpin({ underlay: "raw" })).toBe("only the batch underlay over IPv4 can do it");
    expect(hairpin({}, { "tap-tso": "EINVAL" })).toBe("it needs tap-tso");
    expect(hairpin({}, { hairpin: "EINVAL" })).toBe("EINVAL");
  });

  it("what the dataplane gives up while packets flow is off from then on; the first reason stays", () => {
    const start = decideOffloads({ ...ALL_ON, udpChecksum: "zero" }, {});
    expect(reportAtThisMoment(start)).toEqual(start);
    const later = reportAtThisMoment(start, { "udp-gso": "EIO", "tcp-coalesce": "EINVAL" });
    expect(later).toEqual({ ...start, "tcp-coalesce": "EINVAL" });
  });
});
