/** What `poplin top` prints. */
import { describe, expect, it } from "vitest";
import { plain, widthOf } from "../../src/cli/output.ts";
import { short, sparkline, type TopView, topLines } from "../../src/cli/render-top.ts";
import { goneLines } from "../../src/cli/show-again.ts";
import type { DeviceRates, Flow, Rates, Sample } from "../../src/cli/top-rates.ts";
import { FakeAgent, healthyStatus } from "../agent/api/fake-agent.ts";

const STYLE = { width: 80, color: false };
const QUIET: Flow = { packets: 0, bits: 0, batch: null, drops: {} };
const BUSY: Flow = { packets: 334_123, bits: 3.74e9, batch: 129.04, drops: { NO_TX_TARGET: 3.5 } };

function rates(changes: Partial<Rates> = {}): Rates {
  const total = { tx: BUSY, rx: QUIET };
  return {
    seconds: 1,
    total,
    dropped: { tx: { NO_TX_TARGET: 1234 }, rx: {} },
    devices: [{ dev: "flannel.1", vni: 1, fdb: 12, ...total }],
    threads: [
      { tid: 4722, name: "node", cpu: 0.307 },
      { tid: 4711, name: "node", cpu: 0.005 },
    ],
    ...changes,
  };
}

function view(latest: Rates | null, history = latest === null ? [] : [latest], meant = 1): TopView {
  const total = new FakeAgent().statsAnswer();
  const sample: Sample = { at: 0, status: healthyStatus(), meant, total, devices: [], threads: [] };
  return { sample, rates: latest, history };
}

describe("with rates", () => {
  it("agent, devices, curves and drops", () => {
    expect(topLines(view(rates()), "12:00:00", STYLE)).toEqual([
      "poplin top  agent 4711 running, up 3 days, 4 hours  12:00:00",
      "memory 61.2 MiB  CPU 31.2 %: thread 4722 30.7, main 0.5",
      "",
      "DEVICE     VNI  TX/s  bit/s  BATCH  RX/s  bit/s  BATCH  DROPS  FDB",
      "flannel.1    1  334k  3.74G    129     0      0      -    3.5   12",
      "per second, over the last 1.0 s; tx: overlay to underlay",
      "",
      "tx bit/s, most 3.74G █",
      "rx bit/s, most 0     ▁",
      "",
      "DROPS  SINCE START      REASON (`poplin stats` explains it)",
      "  3.5        1,234  tx  NO_TX_TARGET",
    ]);
  });

  it("a drop that is over stays for a while, at 0", () => {
    const calm = rates({ total: { tx: QUIET, rx: QUIET } });
    expect(topLines(view(calm, [rates(), calm]), "", STYLE)).toContain(
      "    0        1,234  tx  NO_TX_TARGET",
    );
    expect(topLines(view(calm), "", STYLE)).toContain("nothing dropped in the last 1 second");
  });

  it("several overlays have a sum, and say how many are not shown", () => {
    const lines = topLines(view(rates(), [rates()], 20), "", STYLE);
    expect(lines.some((line) => line.startsWith("together "))).toBe(true);
    expect(lines).toContain("and 19 more, which are in the sum: name one with `dev NAME`");
  });

  it("fits into 80 columns with the largest of everything, in colour too", () => {
    const huge: Flow = { packets: 999_400, bits: 999.4e9, batch: 1024, drops: { NO_TX_TARGET: 999_000 } };
    const threads = Array.from({ length: 9 }, (_, i) => ({ tid: 4_194_300 + i, name: "node", cpu: 1 }));
    const many = Array.from({ length: 60 }, () => rates());
    const device: DeviceRates = { dev: "fifteen-letters", vni: 16_777_215, fdb: 999_400, tx: huge, rx: huge };
    const all = rates({ devices: [device], threads, total: { tx: huge, rx: huge } });
    for (const color of [false, true]) {
      const lines = topLines(view(all, [...many, all]), "12:00:00", { width: 80, color });
      for (const line of lines) expect(widthOf(line), plain(line)).toBeLessThanOrEqual(80);
      expect(lines.join("").includes("\u001b")).toBe(color);
    }
  });
});

it("before the second answer it says what it waits for", () => {
  expect(topLines(view(null), "12:00:00", STYLE).at(-1)).toBe("counting: rates come with the next answer");
});

it("while no agent answers it says why, and since when", () => {
  const lines = goneLines("no agent is running here", "12:00:05", "12:00:01", STYLE);
  expect(lines[0]).toBe("no answer since 12:00:01, now 12:00:05: no agent is running here");
});

it.each([
  [0, "0"],
  [0.04, "<0.1"],
  [3.7, "3.7"],
  [42, "42"],
  [999.4, "999"],
  [999.5, "1.00k"],
  [9996, "10.0k"],
  [999_499, "999k"],
  [999_500, "1.00M"],
  [4.05e9, "4.05G"],
])("%d is %s", (n, text) => {
  expect(short(n)).toBe(text);
});

it("a curve is as high as its largest number, and flat without one", () => {
  expect(sparkline([0, 1, 4, 7])).toBe("▁▂▅█");
  expect(sparkline([0, 0])).toBe("▁▁");
});
