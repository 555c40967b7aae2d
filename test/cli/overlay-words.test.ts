import { describe, expect, it } from "vitest";
import type { OverlayChoice } from "../../src/agent/api/agent-view.ts";
import type { CarrierStatus } from "../../src/agent/api/status-types.ts";
import { deviceOf, fdbJson, fdbLines } from "../../src/cli/fdb-words.ts";
import { neighbourLines } from "../../src/cli/neigh-words.ts";
import { type Style, widthOf } from "../../src/cli/output.ts";
import { chooseOverlay, chosen, onlyOverlay } from "../../src/cli/overlay-words.ts";
import { renderBrief, renderStatus } from "../../src/cli/render-status.ts";
import { whyLines } from "../../src/cli/render-why.ts";
import type { FdbRow } from "../../src/dataplane/options.ts";
import { healthyStatus } from "../agent/api/fake-agent.ts";

const STYLE: Style = { color: false, width: 80 };

function severalOverlays() {
  const { overlays } = healthyStatus();
  const [first] = overlays;
  const device = { ...first!.device, name: "tenant-b", vni: 200, mac: "0e:2a:00:00:02:00", addresses: [] };
  const remotes = [3, 4, 5].map((n) => ({ address: `192.168.100.${n}`, pathMtu: null }));
  const flooding = { group: null, remotes, rate: 0 };
  const learning = { on: true, ageing: 300, maxaddress: 1000 };
  return healthyStatus({ overlays: [first!, { ...first!, device, flooding, learning, peers: [] }] });
}

describe("the words that choose an overlay", () => {
  it("stand anywhere among the others", () => {
    expect(chooseOverlay(["aa:bb:cc:dd:ee:ff", "dev", "t1", "dst", "192.0.2.1", "vni", "7"])).toEqual({
      choice: { dev: "t1", vni: 7 },
      rest: ["aa:bb:cc:dd:ee:ff", "dst", "192.0.2.1"],
    });
    expect(chooseOverlay([], "9").choice).toEqual({ vni: 9 });
    expect(chooseOverlay(["self"])).toEqual({ choice: {}, rest: ["self"] });
    expect(onlyOverlay(["dev", "t1"])).toEqual({ dev: "t1" });
    expect(() => onlyOverlay(["self"])).toThrow('unknown word "self"');
  });

  it.each([
    [["dev"], '"dev" needs a value'],
    [["vni", "x"], '"x" is no VNI'],
    [["vni", "16777216"], '"16777216" is no VNI'],
  ])("%s: %s", (words, message) => {
    expect(() => chooseOverlay(words)).toThrow(message);
  });

  it("name one that there is", () => {
    const status = severalOverlays();
    expect(chosen(status, {})).toHaveLength(2);
    const names = (choice: OverlayChoice) => chosen(status, choice).map(({ device }) => device.name);
    expect(names({ dev: "tenant-b" })).toEqual(["tenant-b"]);
    expect(names({ vni: 1 })).toEqual(["flannel.1"]);
    expect(() => chosen(status, { dev: "tenant-b", vni: 1 })).toThrow(
      "the agent has no overlay with device tenant-b and VNI 1",
    );
  });
});

describe("several overlays, as text", () => {
  const status = severalOverlays();

  it("rows name their device, as `bridge fdb show` has them", () => {
    const row: FdbRow = {
      mac: "aa:bb:cc:00:00:01",
      dst: "192.0.2.1",
      port: 8472,
      vni: 200,
      state: "permanent",
    };
    const device = deviceOf(status, status.overlays[1]);
    expect(fdbLines([row], device, true)).toEqual([
      "aa:bb:cc:00:00:01 dev tenant-b dst 192.0.2.1 self permanent",
    ]);
    expect(fdbJson([row], device)).toMatchObject([{ ifname: "tenant-b", vni: 200 }]);
    expect(neighbourLines([{ vni: 200, address: "10.0.0.5", mac: "02:00:00:00:00:05" }], "tenant-b")).toEqual(
      ["10.0.0.5 dev tenant-b lladdr 02:00:00:00:00:05 PERMANENT"],
    );
  });

  it("the status shows the others after the first, within 80 columns", () => {
    const lines = renderStatus(status, null, STYLE, Date.parse("2026-11-23T04:00:05Z"));
    expect(lines.filter((line) => widthOf(line) > 80)).toEqual([]);
    const text = lines.join(" ").replace(/\s+/g, " ");
    expect(text).toContain(
      "tenant-b: VNI 200, MTU 1450, 0e:2a:00:00:02:00, senderCheck strict, learning, floods to",
    );
    expect(renderBrief(status, STYLE)[0]).toMatch(/2 overlays, 2 peers$/);
  });
});

describe("two underlays", () => {
  const { overlays, underlays } = healthyStatus();
  const [[first], [four]] = [overlays, underlays];
  const device = { ...first!.device, name: "flannel-v6.1", mac: "0e:2a:00:00:06:00", mtu: 1430 };
  const six: CarrierStatus = {
    ...four!,
    ...{ local: "fd00:172:19:ffff:ffff:ffff:ffff:2", port: 4789, devices: [device.name] },
    family: 6,
    warnings: ["a receive buffer that is too small"],
  };
  const status = healthyStatus({
    overlays: [first!, { ...first!, device, peers: [] }],
    underlays: [four!, six],
  });

  it("the status says by which each other overlay goes, and what is wrong there, within 80 columns", () => {
    const lines = renderStatus(status, null, STYLE, Date.parse("2026-11-23T04:00:05Z"));
    expect(lines.filter((line) => widthOf(line) > 80)).toEqual([]);
    const at = lines.findIndex((line) => line.startsWith("flannel-v6.1: VNI 1, MTU 1430"));
    // After a line that goes on in a second one.
    expect(lines[at + 2]).toBe("  underlay   batch, UDP [fd00:172:19:ffff:ffff:ffff:ffff:2]:4789 over eth0");
    expect(lines.join("\n")).toContain("warning  a receive buffer that is too small");
    const ofOne = renderStatus(severalOverlays(), null, STYLE, 0);
    expect(ofOne.filter((line) => line.startsWith("  underlay"))).toHaveLength(1);
  });

  it("a VNI means both, a device one", () => {
    expect(chosen(status, { vni: 1 })).toHaveLength(2);
    expect(chosen(status, { vni: 1, dev: "flannel-v6.1" })).toMatchObject([{ device: { mtu: 1430 } }]);
  });

  it("rows have the port of their own underlay as the one that is not said", () => {
    expect(deviceOf(status)).toEqual({ name: "flannel.1", vni: 1, port: 8472, leases: new Map() });
    expect(deviceOf(status, status.overlays[1])).toEqual({
      name: "flannel-v6.1",
      vni: 1,
      port: 4789,
      leases: new Map(),
    });
  });

  it("`fdb why` says whose a row is where it is in several", () => {
    const row = (dev: string) => ({ dev, mac: "02:00:00:00:00:01", dst: "::1", port: 8472, vni: 1 });
    const reason = (dev: string) => ({ row: { ...row(dev), state: "permanent" as const }, lesson: null });
    const first = (...devs: string[]) =>
      whyLines(devs.map(reason), () => undefined, STYLE, 0).filter((line) => line.startsWith("02:"));
    expect(first("flannel.1", "flannel-v6.1")).toEqual([
      "02:00:00:00:00:01 dev flannel.1 is behind ::1, port 8472: permanent",
      "02:00:00:00:00:01 dev flannel-v6.1 is behind ::1, port 8472: permanent",
    ]);
    expect(first("flannel.1")).toEqual(["02:00:00:00:00:01 is behind ::1, port 8472: permanent"]);
  });
});
