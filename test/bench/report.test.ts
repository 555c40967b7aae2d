/** The report: bars, Markdown, lines on the terminal, charts. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { load } from "./load.ts";
import { results } from "./results.ts";

const { bars } = await load("report/bars.mjs");
const { markdown } = await load("report/markdown.mjs");
const { summaryLines, testLines } = await load("report/terminal.mjs");
const { charts } = await load("report/charts/index.mjs");
const { writeReport } = await load("report/files.mjs");
const { timeLeft } = await load("cli/progress.mjs");
const { testNamed } = await load("tests/index.mjs");

const run = await results();
const chartNames = ["throughput", "packets", "ratios", "loss", "latency", "cpu", "memory", "soak"];

describe("the bars", () => {
  it("are measured as the issue says, each with where it stands", () => {
    const [one, four, off, udp, rtt, cpu, peer] = bars(run);
    expect(one).toMatchObject({ measured: expect.closeTo(0.8), reach: 0.65, aim: 1, state: "reach" });
    expect(four).toMatchObject({ measured: expect.closeTo(0.8), state: "reach" });
    expect(off).toMatchObject({ measured: expect.closeTo(2), state: "reach" });
    expect(udp).toMatchObject({ measured: expect.closeTo(0.8), state: "below" });
    expect(rtt).toMatchObject({ measured: expect.closeTo(2.5), unit: "µs", state: "aim" });
    expect(cpu).toMatchObject({ measured: expect.closeTo(1.25), state: "reach" });
    expect(peer).toMatchObject({ measured: expect.closeTo(8), state: "reach" });
  });

  it("that were not measured have no state", () => {
    const none = bars({ configurations: [], measurements: [] });
    expect(
      none.every(
        ({ measured, state }: { measured: unknown; state: unknown }) => measured === null && state === null,
      ),
    ).toBe(true);
  });
});

describe("Markdown", () => {
  const text: string = markdown(run, ["throughput"], "folder/");

  it("says on which machine, with which command and at which commit", () => {
    for (const words of ["Some CPU, 2 CPUs, 24 GiB, virtual", "Linux 6.18.1", "Node v20.20.2", "0123456789"])
      expect(text).toContain(words);
    expect(text).toContain("npm run bench -- --quick");
  });

  it("has a row per configuration, the kernel's first", () => {
    const titles = [...text.matchAll(/^\| (kernel|poplin|tinc)[^|]*/gm)].map(([row]) => row.slice(2).trim());
    expect(titles.slice(0, 5)).toEqual([
      "kernel VXLAN",
      "kernel, no offloads",
      "poplin",
      "poplin, nospin",
      "tinc, no cipher",
    ]);
  });

  it("names the offloads in use, the ratio between settings, and what was not measured", () => {
    expect(text).toContain("offloads on: tap-tso, offloads off: hairpin (switched off)");
    expect(text).toContain("| TCP, 1 stream, throughput | 0.75 (0.75 … 0.75) |");
    expect(text).toContain("nebula (encrypts): not measured: there is no nebula: apt-get install nebula");
    expect(text).toContain("![throughput](folder/throughput.svg)");
    expect(text).toContain("Memory is flat: −1");
  });

  it("says of a cluster's node how fast it follows, by store and burst, and what it weighs", () => {
    expect(text).toContain("| file | 1000 | 2 | 2 | 0.50 | 0.75 |");
    expect(text).toMatch(/- file: 90 MB at rest before, 150 MB at most, 100 MB at rest after; flat \(\+1/);
    expect(text).toContain("- etcd: not measured: there is no etcd: apt-get install etcd-server");
  });

  it("of a run that measured nothing but the micro benchmarks is short", () => {
    const { machine, date, poplin, plan, command, micro } = run;
    expect(markdown({ machine, date, poplin, plan, command, micro }, [], "")).not.toMatch(
      /Side by side|The bars/,
    );
  });
});

describe("lines on the terminal", () => {
  it("are at most 80 columns wide", () => {
    const { name } = testNamed("mixed");
    const rows = run.measurements.filter(({ test }: { test: string }) => test === name);
    const lines: string[] = [...summaryLines(run), ...testLines(testNamed(name), rows, run.configurations)];
    expect(lines.length).toBeGreaterThan(20);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  });

  it("the time that is left follows the pace so far", () => {
    expect(timeLeft(100, 0, 5)).toBe("100 s left".replace("100 s", "2 min"));
    expect(timeLeft(100, 50, 100)).toBe("2 min left");
    expect(timeLeft(100, 80, 80)).toBe("20 s left");
  });
});

describe("charts", () => {
  const drawn: { name: string; svg: string }[] = charts(run);

  it("there is one for everything that was measured", () => {
    expect(drawn.map(({ name }) => name)).toEqual(chartNames);
  });

  it.each(drawn.map(({ name, svg }) => [name, svg]))(
    "%s says what was measured, where and when",
    (_, svg) => {
      expect(svg).toMatch(/^<svg [^>]*width="860"/);
      for (const words of ["Some CPU", "Linux 6.18.1", "2026-11-25", "poplin"]) expect(svg).toContain(words);
      expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    },
  );

  it("nothing measured, nothing drawn", () => {
    expect(charts({ ...run, measurements: [], details: [], soak: undefined })).toEqual([]);
  });
});

describe("files", () => {
  it("are JSON, Markdown and charts under the date of the run", async () => {
    const folder = mkdtempSync(join(tmpdir(), "poplin-report-"));
    const print = vi.spyOn(console, "log").mockImplementation(() => {});
    try {
      await writeReport(run, { publish: false, from: null, out: folder });
      expect(readdirSync(folder).sort()).toEqual([
        "2026-11-25-1234",
        "2026-11-25-1234.json",
        "2026-11-25-1234.md",
      ]);
      expect(readdirSync(join(folder, "2026-11-25-1234"))).toHaveLength(chartNames.length);
      const kept = JSON.parse(readFileSync(join(folder, "2026-11-25-1234.json"), "utf8"));
      expect(kept.measurements[0]).toMatchObject({
        ...{ test: "tcp1", config: "kernel", metric: "gbps", unit: "Gbit/s", runs: [0, 1, 2], ratio: null },
      });
    } finally {
      print.mockRestore();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
