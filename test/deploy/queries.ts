/** What a PromQL expression asks for: metrics, the labels that it picks them by, and the labels that it groups by. */

export interface Query {
  readonly metric: string;
  readonly matchers: readonly { readonly label: string; readonly operator: string; readonly value: string }[];
}

export interface Asked {
  readonly queries: readonly Query[];
  /** Labels in `by (…)`, `on (…)` and the like. */
  readonly grouped: readonly string[];
}

/** Words of PromQL that are no metric. */
const WORDS = new Set(
  (
    "sum max min avg count by on without ignoring group_left group_right and or unless bool offset " +
    "rate increase changes histogram_quantile max_over_time vector time label_values"
  ).split(" "),
);
const MATCHER = /([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g;

export function asked(expr: string): Asked {
  const grouped: string[] = [];
  // Groups first: the labels in them look like metrics.
  const rest = expr.replace(/\b(?:by|on|without|ignoring)\s*\(([^)]*)\)/g, (_, labels: string) => {
    grouped.push(...labels.split(",").map((label) => label.trim()));
    return " ";
  });
  const queries: Query[] = [];
  const bare = rest.replaceAll(/\[[^\]]*\]|\b\d[\w.]*/g, " ");
  for (const [, metric, labels = ""] of bare.matchAll(/([a-z_][a-z0-9_]*)(?:\s*\{([^}]*)\})?/g)) {
    if (WORDS.has(metric!)) continue;
    const matchers = [...labels.matchAll(MATCHER)].map(([, label, operator, value]) => ({
      label: label!,
      operator: operator!,
      value: value!,
    }));
    queries.push({ metric: metric!, matchers });
  }
  return { queries, grouped };
}
