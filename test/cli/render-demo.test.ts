import { describe, expect, it } from "vitest";
import { plain, type Style, widthOf } from "../../src/cli/output.ts";
import {
  renderKept,
  renderMatrix,
  renderNode,
  renderPacket,
  renderReasons,
  renderRow,
  renderScene,
} from "../../src/cli/render-demo.ts";
import type { NodeReport, Place, Scene } from "../../src/lab/demo/stage.ts";
import { placeOf, studyPlans } from "../../src/lab/demo/study.ts";
import { fromHex } from "../../src/wire/index.ts";
import { PING_UDP_PAYLOAD } from "../wire/frames.ts";

const STYLES: readonly Style[] = [
  { width: 80, color: false },
  { width: 80, color: true },
];
const places = studyPlans().map((plan) => placeOf(plan, plan.name === "node-k" ? "kernel VXLAN" : "poplin"));
const scene: Scene = { places, lab: "0a1b2c", memoryBecause: null };
const report: NodeReport = {
  place: places[2]!,
  device: "flannel.1, f6:2d:77:84:77:6c, MTU 1450",
  peers: [
    { publicIp: "172.19.0.2", vtepMac: "92:2e:91:2c:81:b3", subnet: "10.244.1.0/24", state: "ok" },
    { publicIp: "172.19.0.3", vtepMac: "9e:f2:78:e7:96:c2", subnet: "10.244.2.0/24", state: "no FDB row" },
  ],
  routes: ["10.244.1.0/24 via 10.244.1.0 onlink"],
  sent: { frames: 1_234_567, bytes: 5_368_709_120 },
  received: { frames: 1, bytes: 98 },
  drops: { NO_TX_TARGET: 4, PKT_TOO_SMALL: 12_345 },
  memory: 83_886_080,
};

/** Everything that is printed for an eventful demo. */
function all(style: Style): string[] {
  const [a, b, k] = places as [Place, Place, Place];
  return [
    ...renderScene(scene, style),
    ...renderScene(
      { places, lab: null, memoryBecause: "there is no /dev/net/tun (load the module tun)" },
      style,
    ),
    ...renderMatrix("ping", places, style),
    ...renderRow(a, places, [null, { ok: true, value: 0.123 }, { ok: true, value: 1234.5 }], style),
    ...renderMatrix("transfer", places, style),
    ...renderRow(b, places, [{ ok: false, problem: "no\nroute to host ".repeat(9) }, null, null], style),
    ...renderPacket(
      { bytes: fromHex("4500"), layer: "ip", where: `${k.node}, ${"long ".repeat(20)}` },
      style,
    ),
    ...renderPacket(
      { problem: "nothing to capture with: install libpcap-dev, or tcpdump. ".repeat(3) },
      style,
    ),
    ...renderNode(report, style),
    ...renderNode({ ...report, memory: null, drops: {}, routes: [] }, style),
  ];
}

describe("the demo as text", () => {
  it.each(STYLES)("fits 80 columns, and has colours only when asked ($color)", (style) => {
    const lines = all(style);
    expect(lines.filter((line) => widthOf(line) > 80)).toEqual([]);
    expect(lines.some((line) => line !== plain(line))).toBe(style.color);
    expect(lines.filter((line) => /\n|undefined|NaN/.test(line))).toEqual([]);
  });

  it("says the same with and without colour", () => {
    const [without, coloured] = STYLES.map((style) => all(style).map(plain));
    expect(coloured).toEqual(without);
  });

  it("columns of a matrix stand under each other", () => {
    const style = STYLES[0]!;
    const head = renderMatrix("ping", places, style).at(-1)!;
    const [row] = renderRow(
      places[0]!,
      places,
      [null, { ok: true, value: 0.5 }, { ok: true, value: 10 }],
      style,
    );
    for (const [pod, cell] of [
      ["pod-a", "-"],
      ["pod-b", "0.50"],
      ["pod-k", "10.00"],
    ] as const) {
      expect(row!.slice(0, head.indexOf(pod) + pod.length)).toMatch(
        new RegExp(`${cell.replace(".", "\\.")}$`),
      );
    }
  });

  it("what went wrong stands below its row", () => {
    const lines = renderRow(
      places[0]!,
      places,
      [null, { ok: false, problem: "2 of 3 came back" }, null],
      STYLES[0]!,
    );
    expect(lines[0]).toContain("failed");
    expect(lines[1]).toBe("  pod-a to pod-b: 2 of 3 came back");
  });

  it("drops are named and counted, and a peer that is not in place says why", () => {
    const text = renderNode(report, STYLES[0]!).join("\n").replace(/\s+/g, " ");
    expect(text).toContain("dropped 4 NO_TX_TARGET, 12,345 PKT_TOO_SMALL");
    expect(text).toContain("no FDB row");
  });

  it("explains a partial checksum only where there is one", () => {
    const bytes = fromHex(
      `4500008600000000401122c2ac130002ac130003${"e4392118007258af"}${Buffer.from(PING_UDP_PAYLOAD).toString("hex")}`,
    );
    const seen = { bytes, layer: "ip" as const, where: "node-b, eth0" };
    expect(renderPacket(seen, STYLES[0]!).join(" ")).toContain("A partial checksum is no mistake");
    expect(renderPacket({ ...seen, bytes: fromHex("4500") }, STYLES[0]!).join(" ")).not.toContain(
      "no mistake",
    );
  });

  it("commands to copy are never broken, and name the lab", () => {
    const sockets = new Map([["node-a", "/run/poplin/labs/0a1b2c/node-a.sock"]]);
    const lines = renderKept(scene, sockets, "node dist/cli/main.js", { width: 40, color: false });
    expect(lines).toContain("  ip netns exec poplin-0a1b2c-pod-a ping 10.244.0.2");
    expect(lines).toContain("  node dist/cli/main.js status --socket /run/poplin/labs/0a1b2c/node-a.sock");
    expect(lines).toContain("  node dist/cli/main.js demo --down 0a1b2c");
  });
});

describe("why something was dropped", () => {
  it("is said of what every demo drops, at 80 columns, and of nothing else", () => {
    for (const style of STYLES) {
      const lines = renderReasons(new Set(["NO_TX_TARGET", "FULL_RING", "PKT_TOO_BIG"]), style);
      expect(lines.filter((line) => line.length > 80)).toEqual([]);
      expect(lines.join(" ")).toMatch(/NO_TX_TARGET: .*multicast.*FULL_RING: /);
      expect(lines.join(" ")).not.toContain("PKT_TOO_BIG");
    }
    expect(renderReasons(new Set(["PKT_TOO_BIG"]), STYLES[0]!)).toEqual([]);
  });
});
