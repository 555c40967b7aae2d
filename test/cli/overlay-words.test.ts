import { describe, expect, it } from "vitest";
import { deviceOf, fdbJson, fdbLines } from "../../src/cli/fdb-words.ts";
import { neighbourLines } from "../../src/cli/neigh-words.ts";
import { type Style, widthOf } from "../../src/cli/output.ts";
import { chooseOverlay, chosen, chosenVni } from "../../src/cli/overlay-words.ts";
import { renderBrief, renderStatus } from "../../src/cli/render-status.ts";
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
    expect(chosenVni(status, {})).toBeUndefined();
    expect(chosenVni(status, { dev: "tenant-b" })).toBe(200);
    expect(chosenVni(status, { vni: 1 })).toBe(1);
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
