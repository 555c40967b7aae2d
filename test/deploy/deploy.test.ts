/** Alerts and dashboard: they ask for metrics, labels and values that there are. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ALL_METRICS } from "../../src/agent/metrics/table.ts";
import { DROP_REASONS } from "../../src/dataplane/drops.ts";
import { OFFLOAD_NAMES } from "../../src/dataplane/offloads.ts";
import { ROOT } from "../helpers/imports.ts";
import { describeWith, tool } from "../helpers/needs.ts";
import { asked } from "./queries.ts";

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
}

const read = (path: string): string => readFileSync(join(ROOT, "deploy", path), "utf8");
const alerts = (parse(read("prometheus/alerts.yaml")) as { groups: { rules: Alert[] }[] }).groups.flatMap(
  ({ rules }) => rules,
);
const dashboard = JSON.parse(read("grafana/dashboard.json")) as {
  panels: Panel[];
  templating: { list: { name: string; definition?: string }[] };
};
const panels = dashboard.panels.filter(({ type }) => type !== "row");

/** Labels that Prometheus gives each series, and the histogram's own. */
const GIVEN = ["job", "instance", "le"];
/** Values of labels that are a closed set. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  direction: ["tx", "rx"],
  reason: DROP_REASONS,
  offload: OFFLOAD_NAMES,
  state: ["ok", "failing", "own", "peer", "left_out"],
  result: ["ok", "failed", "busy"],
  stat: ["p50", "p99", "max"],
  kind: ["static", "learned", "moved", "aged", "full"],
};

/** The labels of a metric, or undefined where there is none of that name. */
function labelsOf(metric: string): readonly string[] | undefined {
  if (metric === "up") return GIVEN; // Prometheus' own
  const plain = ALL_METRICS[metric];
  if (plain !== undefined && plain.type !== "histogram") return [...plain.labels, ...GIVEN.slice(0, 2)];
  const [, base = ""] = /^(.*)_(?:bucket|sum|count)$/.exec(metric) ?? [];
  const histogram = ALL_METRICS[base];
  return histogram?.type === "histogram" ? [...histogram.labels, ...GIVEN] : undefined;
}

/** @returns what an expression asks for that there is not */
function mistakes(expr: string, legend = ""): string[] {
  const { queries, grouped } = asked(expr);
  const found = queries.flatMap(({ metric, matchers }) => {
    const labels = labelsOf(metric);
    if (labels === undefined) return [`no metric ${metric}`];
    return matchers.flatMap(({ label, value }) => {
      if (!labels.includes(label)) return [`${metric} has no label ${label}`];
      const values = VALUES[label];
      const wrong = values && value.split("|").find((one) => !values.includes(one));
      return wrong === undefined ? [] : [`${label} is never ${wrong}`];
    });
  });
  const there = queries.flatMap(({ metric }) => labelsOf(metric) ?? []);
  const shown = [...legend.matchAll(/\{\{\s*(\w+)\s*\}\}/g)].map(([, label]) => label!);
  const unknown = [...grouped, ...shown].filter((label) => !there.includes(label));
  // What is grouped away cannot be shown.
  const by = /\bby\s*\(([^)]*)\)/
    .exec(expr)?.[1]
    ?.split(",")
    .map((label) => label.trim());
  const gone = by === undefined ? [] : shown.filter((label) => !by.includes(label));
  return [
    ...found,
    ...unknown.map((label) => `no metric here has ${label}`),
    ...gone.map((l) => `${l} is summed up`),
  ];
}

describe("what the queries are read by", () => {
  it("finds mistakes", () => {
    expect(mistakes('sum by (instance) (rate(poplin_drop_total{reason="X"}[5m]))')).toContain(
      "no metric poplin_drop_total",
    );
    expect(mistakes('poplin_drops_total{reasons="FULL_RING"}')).toEqual([
      "poplin_drops_total has no label reasons",
    ]);
    expect(mistakes('poplin_drops_total{reason="RING_FULL"}')).toEqual(["reason is never RING_FULL"]);
    expect(mistakes("sum by (peer) (poplin_ready)")).toEqual(["no metric here has peer"]);
    expect(mistakes("sum by (instance) (poplin_slots)", "{{device}}")).toEqual(["device is summed up"]);
    expect(mistakes("poplin_store_operation_duration_seconds > 1")).toHaveLength(1);
  });
});

describe("deploy/prometheus/alerts.yaml", () => {
  it.each(alerts.map((alert) => [alert.alert, alert] as const))("%s asks for what there is", (_, alert) => {
    expect(mistakes(alert.expr)).toEqual([]);
    expect(["critical", "warning", "info"]).toContain(alert.labels.severity);
    // What it says of itself is known: labels that survive the expression.
    const { grouped } = asked(alert.expr);
    const there =
      grouped.length > 0 ? grouped : asked(alert.expr).queries.flatMap(({ metric }) => labelsOf(metric)!);
    const text = alert.annotations.summary + alert.annotations.description;
    for (const [, label] of text.matchAll(/\$labels\.(\w+)/g)) expect(there).toContain(label);
  });

  it("has each name once", () => {
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
    expect(alerts.length).toBeGreaterThan(15);
  });
});

describe("deploy/grafana/dashboard.json", () => {
  it.each(panels.map((panel) => [panel.title, panel] as const))("%s asks for what there is", (_, panel) => {
    expect(panel.targets!.length).toBeGreaterThan(0);
    for (const { expr, legendFormat } of panel.targets!) expect(mistakes(expr, legendFormat)).toEqual([]);
  });

  it("fills its variables from metrics that there are, and names each panel once", () => {
    const definitions = dashboard.templating.list.flatMap(({ definition }) => definition ?? []);
    expect(definitions).toHaveLength(2);
    for (const definition of definitions) {
      const [, metric, label] = /^label_values\((\w+)(?:\{.*\})?, (\w+)\)$/.exec(definition)!;
      expect(labelsOf(metric!)).toContain(label);
    }
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
  });

  it("has no panel over another", () => {
    const taken = new Set<string>();
    for (const { gridPos, title } of dashboard.panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x} ${y}`), title).toBe(false);
          taken.add(`${x} ${y}`);
        }
      }
    }
  });

  it("shows every metric but those that say nothing over time", () => {
    const shown = new Set(
      panels.flatMap(({ targets }) =>
        targets!.flatMap(({ expr }) => asked(expr).queries.map(({ metric }) => metric)),
      ),
    );
    const left = Object.keys(ALL_METRICS).filter(
      (name) => ![name, `${name}_bucket`].some((one) => shown.has(one)),
    );
    expect(left).toEqual([
      "poplin_config_last_reload_successful",
      "poplin_config_loaded_timestamp_seconds",
      "poplin_dataplane_up",
      "poplin_datagrams_received_total",
      "poplin_gso_fallbacks_total",
      "poplin_sender_mismatches_total",
      "poplin_ecn_marked_frames_total",
    ]);
  });
});

describeWith([tool("promtool")], "promtool", () => {
  const promtool = (...args: string[]) =>
    spawnSync("promtool", args, { cwd: join(ROOT, "deploy/prometheus"), encoding: "utf8" });

  it("takes the alerts for rules, and sees them fire when they should", () => {
    for (const args of [
      ["check", "rules", "alerts.yaml"],
      ["test", "rules", "alerts.test.yaml"],
    ]) {
      const { status, stdout, stderr } = promtool(...args);
      expect([status, stdout + stderr]).toEqual([0, expect.stringMatching(/SUCCESS/)]);
    }
  });

  it("takes every query of the dashboard for one", () => {
    const exprs = panels.flatMap(({ targets }) => targets!.map(({ expr }) => expr));
    // As Grafana fills them in; promtool reads expressions as rules.
    const rules = exprs.map((expr, i) => ({
      record: `panel:${i}`,
      expr: expr.replaceAll("$__rate_interval", "5m").replaceAll(/"\$(job|instance)"/g, '".*"'),
    }));
    const file = join(mkdtempSync(join(tmpdir(), "poplin-rules-")), "rules.yaml");
    writeFileSync(file, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
    const { status, stderr } = promtool("check", "rules", file);
    rmSync(dirname(file), { recursive: true });
    expect([status, stderr]).toEqual([0, ""]);
  });
});
