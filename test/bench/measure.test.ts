/** What figures are made of: medians, ratios, percentiles, CPU time, and the search for the highest rate. */
import { describe, expect, it } from "vitest";
import { load } from "./load.ts";

const { histogram, median, percentile, ratio, summary } = await load("measure/stats.mjs");
const { machineTime, processTime, residentMemory } = await load("measure/cpu.mjs");
const { search } = await load("tests/udp.mjs");
const { parsePing, spread } = await load("tests/latency.mjs");
const { growthOf } = await load("suites/soak.mjs");
const { ratioTo } = await load("runner.mjs");

describe("statistics", () => {
  it("medians and ranges", () => {
    expect(summary([3, 1, 2])).toMatchObject({ median: 2, min: 1, max: 3 });
    expect(median([1, 2])).toBe(1.5);
    expect(median([])).toBeNull();
  });

  it("a percentile is a value that occurred", () => {
    const sorted = Array.from({ length: 1000 }, (_, i) => i + 1);
    expect([0.5, 0.99, 0.999, 1].map((part) => percentile(sorted, part))).toEqual([500, 990, 999, 1000]);
    expect(percentile([7], 0.5)).toBe(7);
  });

  it("a ratio is taken run by run, so a machine that drifts does not move it", () => {
    expect(ratio([1, 2, 40], [2, 4, 80])).toMatchObject({ median: 0.5, min: 0.5, max: 0.5 });
    expect(ratio([1], [0])).toBeNull();
  });

  it("of two configurations only the runs that both have are compared", () => {
    const row = (config: string, runs: number[], samples: number[]) => ({
      ...{ test: "t", config, metric: "m", runs, samples },
    });
    const rows = [row("kernel", [0, 1, 2], [10, 20, 40]), row("poplin", [1, 2], [10, 10])];
    expect(ratioTo(rows, "kernel", rows[1])).toMatchObject({ samples: [0.5, 0.25] });
    expect(ratioTo(rows, "kernel", rows[0])).toBeNull();
    expect(ratioTo(rows, "other", rows[1])).toBeNull();
  });

  it("a histogram has twenty bins a decade and loses nothing", () => {
    const bins: [number, number][] = histogram([1, 1.05, 10, 99, 1000]);
    expect(bins.map(([from]) => Number(from.toPrecision(3)))).toEqual([1, 10, 89.1, 1000]);
    expect(bins.map(([, count]) => count)).toEqual([2, 1, 1, 1]);
  });
});

describe("CPU time and memory", () => {
  it("a process's name may hold spaces and parentheses", () => {
    const fields = ["S", ...Array.from({ length: 10 }, () => "0"), "150", "50", "0"];
    expect(processTime(0, `7 (a) b) ${fields.join(" ")}`)).toBe(2);
    expect(processTime(0, "")).toBe(0);
  });

  it("the machine's time leaves out idle, iowait, steal and guests", () => {
    expect(machineTime("cpu  100 200 300 9999 9999 40 60 9999 9999 9999\ncpu0 1\n")).toBe(7);
  });

  it.runIf(process.platform === "linux")("this process has used some, and has some", () => {
    expect(processTime(process.pid)).toBeGreaterThan(0);
    expect(residentMemory([process.pid])).toBeGreaterThan(10e6);
  });
});

describe("the highest rate with at most 1 % loss", () => {
  /** A tunnel that carries `most` a second, and loses what is above; the sender can do `sender`. */
  const tunnel = (most: number, sender = 1e9) => {
    let probes = 0;
    const probe = async (rate: number | null) => {
      probes++;
      const sentRate = Math.min(rate ?? 1e9, sender);
      const receivedRate = Math.min(sentRate, most);
      return { sentRate, receivedRate, loss: 1 - receivedRate / sentRate };
    };
    return { probe, probes: () => probes };
  };

  it.each([[50_000], [300_000]])("is found for a tunnel that carries %i", async (most) => {
    const { probe, probes } = tunnel(most, 700_000);
    const { best } = await search(probe);
    expect(best / most).toBeGreaterThan(0.95);
    expect(best / most).toBeLessThan(1.011);
    expect(probes()).toBeLessThanOrEqual(8);
  });

  it("is what the sender can do, where that is less", async () => {
    const { best } = await search(tunnel(500_000, 200_000).probe);
    expect(best).toBe(200_000);
  });

  it("is found from a guess that is far too high or too low, within 10 %", async () => {
    for (const guess of [30_000, 250_000]) {
      const { best } = await search(tunnel(100_000).probe, guess);
      expect(best).toBeGreaterThan(90_000);
      expect(best).toBeLessThan(102_000);
    }
  });

  it("is 0 for a tunnel that carries nothing", async () => {
    const probe = async (rate: number | null) => ({ sentRate: rate ?? 1e5, receivedRate: 0, loss: 1 });
    expect((await search(probe)).best).toBe(0);
  });
});

describe("round trips", () => {
  it("come from what ping prints, without its first ones", () => {
    const lines = Array.from(
      { length: 30 },
      (_, i) => `64 bytes from 10.0.0.1: icmp_seq=${i + 1} ttl=64 time=0.${100 + i} ms`,
    );
    const text = `${lines.join("\n")}\n\n--- 10.0.0.1 ping statistics ---\n32 packets transmitted, 30 received, 6.25% packet loss, time 31ms\n`;
    const { times, lost } = parsePing(text);
    expect(lost).toBe(2);
    expect(times).toHaveLength(10);
    expect(times[0]).toBeCloseTo(120);
    expect(spread({ times, lost })).toMatchObject({
      p50: expect.closeTo(124),
      p999: expect.closeTo(129),
      lost: 2,
    });
  });

  it("a ping that failed is an error that says what it said", () => {
    expect(() => parsePing("ping: connect: Network is unreachable")).toThrow(/unreachable/);
  });
});

describe("a soak", () => {
  it("is flat when the last quarter is no more than 5 % above the second", () => {
    expect(growthOf([50, 90, 100, 100, 100, 100, 101, 102])).toMatchObject({ flat: true });
    expect(growthOf([50, 90, 100, 110, 120, 130, 140, 150])).toMatchObject({ flat: false });
    expect(growthOf([50])).toEqual({ flat: null, growth: null });
  });
});
