/** The bench's command line. */
import { describe, expect, it } from "vitest";
import { load } from "./load.ts";

const { parse, UsageError, words } = await load("cli/options.mjs");
const { configurations } = await load("configurations.mjs");

describe("options", () => {
  it("by default neither soak nor cluster, in five runs", () => {
    expect(parse([])).toMatchObject({
      only: ["netns", "peers", "micro"],
      plan: { seconds: 3, runs: 5, peerRuns: 3, quick: false },
      ...{ poplinArgs: [], variants: [], compare: null, minutes: 60 },
    });
  });

  it("a quick run is shorter, and what is given outranks it", () => {
    expect(parse(["--quick"]).plan).toMatchObject({ seconds: 1, runs: 2, peerRuns: 1, quick: true });
    expect(parse(["--quick", "--runs", "4", "--seconds", "0.5"]).plan).toMatchObject({
      seconds: 0.5,
      runs: 4,
    });
  });

  it("arguments for the agent may start with a dash", () => {
    const { poplinArgs, variants } = parse([
      ...["--poplin", "--spin off --offload 'a=on, b=off'"],
      ...["--variant", "one=--queues 1", "--variant", "two=--queues 2"],
    ]);
    expect(poplinArgs).toEqual(["--spin", "off", "--offload", "a=on, b=off"]);
    expect(variants).toEqual([
      { name: "one", args: ["--queues", "1"] },
      { name: "two", args: ["--queues", "2"] },
    ]);
    expect(words("")).toEqual([]);
  });

  it.each([
    [["--only", "fun"], /no suite is called fun/],
    [["--tests", "tcp1,tcp5"], /no test is called tcp5/],
    [["--runs", "1.5"], /--runs takes a whole number/],
    [["--seconds", "0"], /--seconds takes a number above 0/],
    [["--variant", "nospin"], /NAME='ARGS'/],
    [["--fun"], /--fun/],
    [["fun"], /fun/],
  ])("%j is refused", (argv, message) => {
    expect(() => parse(argv)).toThrow(UsageError);
    expect(() => parse(argv)).toThrow(message);
  });
});

describe("configurations", () => {
  const names = (argv: string[], other: unknown = null) =>
    configurations(parse(argv), other).map(({ name }: { name: string }) => name);

  it("the kernel comes first, then every poplin, then the others", () => {
    const argv = ["--variant", "one=--queues 1"];
    expect(names(argv, { name: "poplin@main" }).slice(0, 4)).toEqual([
      "kernel",
      "poplin",
      "one",
      "poplin@main",
    ]);
    expect(names(argv)).toContain("wireguard");
    expect(names(["--only", "netns"])).toEqual(["kernel", "poplin"]);
  });

  it("a variant hands over the common arguments and its own", () => {
    const all = configurations(parse(["--poplin", "--ttl 9", "--variant", "one=--df set"]), null);
    expect(all[2].spec.args).toEqual(["--ttl", "9", "--df", "set"]);
  });

  it("two of one name are refused", () => {
    expect(() => names(["--variant", "kernel=--ttl 9"])).toThrow(/another "kernel"/);
  });
});
