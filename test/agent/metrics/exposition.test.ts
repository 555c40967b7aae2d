import { describe, expect, it } from "vitest";
import { readExposition } from "./exposition.ts";

describe("the reader that the metrics are held to", () => {
  it("reads what is right", () => {
    const families = readExposition(
      '# HELP a_total b\n# TYPE a_total counter\na_total{x="1",y="q\\"\\\\"} 2\n',
    );
    expect(families.get("a_total")!.series).toEqual([
      { name: "a_total", labels: { x: "1", y: 'q"\\' }, value: 2 },
    ]);
  });

  it.each([
    ["# HELP a b\n# TYPE a gauge\na 1", /no end/],
    ["# TYPE a gauge\na 1\n", /without the HELP/],
    ["a 1\n", /outside/],
    ["# HELP a b\n# TYPE a counter\na 1\n", /_total/],
    ["# HELP a b\n# TYPE a gauge\na 1\na 1\n", /twice/],
    ["# HELP a b\n# TYPE a gauge\na{x=1} 1\n", /no label/],
    ["# HELP a b\n# TYPE a gauge\na NaN\n", /no number/],
    ["# HELP a b\n# TYPE a gauge\n", /no series/],
    [
      '# HELP a b\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
      /add up/,
    ],
    ['# HELP a b\n# TYPE a histogram\na_bucket{le="1"} 1\na_sum 1\na_count 1\n', /order/],
  ])("refuses %j", (text, why) => {
    expect(() => readExposition(text)).toThrow(why);
  });
});
