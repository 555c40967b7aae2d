/** A short run from the command line to the report, and what is left of one that is interrupted. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { listNamespaces } from "../../src/lab/netns.ts";
import { records } from "../../src/lab/registry.ts";
import { ROOT } from "../helpers/imports.ts";
import { describeFull, describeWith, lab, tool } from "../helpers/needs.ts";

const SHORT = ["--seconds", "1", "--runs", "1"];

describeWith([lab(), tool("iperf3"), tool("ping"), tool("ethtool")], "npm run bench", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "poplin-bench-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const start = (...args: string[]) =>
    spawn(process.execPath, [join(ROOT, "bench/main.mjs"), "--out", folder, ...SHORT, ...args], {
      cwd: folder,
    });

  /** Namespaces of labs that this process started. */
  const left = (pid: number) => {
    const ids = records()
      .filter(({ owner }) => owner.pid === pid)
      .map(({ id }) => id);
    return listNamespaces().filter((name) => ids.some((id) => name.includes(id)));
  };

  it("measures, reports and leaves nothing behind", async () => {
    const bench = start("--only", "netns", "--tests", "tcp1,udp64,rtt", "--variant", "bad=--nonsense");
    let text = "";
    for (const stream of [bench.stdout, bench.stderr]) stream.on("data", (chunk) => (text += chunk));
    const [code] = await once(bench, "close");
    expect({ code, text }).toEqual({ code: 0, text: expect.stringContaining("skipped: poplin, bad") });
    const file = readdirSync(folder).find((name) => name.endsWith(".json"))!;
    const { measurements, configurations } = JSON.parse(readFileSync(join(folder, file), "utf8"));
    const medians = (test: string, metric: string) =>
      measurements
        .filter((row: { test: string; metric: string }) => row.test === test && row.metric === metric)
        .map(({ config, median }: { config: string; median: number }) => [config, median > 0]);
    for (const [test, metric] of [
      ["tcp1", "gbps"],
      ["udp64", "kpps"],
      ["rtt", "p50"],
    ] as const)
      expect(medians(test, metric)).toEqual([
        ["kernel", true],
        ["poplin", true],
      ]);
    expect(configurations[1].about.capabilities).toBeDefined();
    expect(existsSync(join(folder, file.replace(".json", ".md")))).toBe(true);
    expect(left(bench.pid!)).toEqual([]);
  }, 120_000);

  it("an interrupted run leaves nothing behind, and says by its signal that it was", async () => {
    const bench = start("--only", "netns", "--tests", "tcp1");
    while (left(bench.pid!).length < 4) await new Promise((resolve) => setTimeout(resolve, 20));
    bench.kill("SIGINT");
    await once(bench, "close");
    expect(bench.signalCode).toBe("SIGINT");
    expect(left(bench.pid!)).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
  }, 60_000);

  it("what it does not understand is a usage error", async () => {
    const bench = start("--compare", "no-such-commit");
    const [code] = await once(bench, "close");
    expect(code).toBe(2);
  });
});

describeFull([lab(), tool("iptables")], "npm run bench -- --only cluster", () => {
  it("says how a node follows a cluster, over each store that is installed", async () => {
    const folder = mkdtempSync(join(tmpdir(), "poplin-bench-"));
    try {
      const args = ["--out", folder, "--only", "cluster", "--quick"];
      const bench = spawn(process.execPath, [join(ROOT, "bench/main.mjs"), ...args], { cwd: folder });
      let text = "";
      for (const stream of [bench.stdout, bench.stderr]) stream.on("data", (chunk) => (text += chunk));
      const [code] = await once(bench, "close");
      expect({ code, text }).toEqual({ code: 0, text: expect.stringMatching(/^ +file +1000 /m) });
      expect(text).toMatch(
        tool("etcd") === null ? /^ +etcd +1000 /m : /skipped: cluster over etcd: .*apt-get/,
      );
      const file = readdirSync(folder).find((name) => name.endsWith(".json"))!;
      const { cluster } = JSON.parse(readFileSync(join(folder, file), "utf8"));
      expect(cluster.stores[0].rounds).toHaveLength(4);
      expect(cluster.stores[0].memory.peak).toBeGreaterThan(cluster.stores[0].memory.before);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 600_000);
});
