/** Configurations of any text, flags and variables: no error but mistakes, each at its place. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { resolveConfig } from "../../../src/agent/config/load.ts";
import { SETTINGS } from "../../../src/agent/config/schema.ts";
import { mistakes } from "./texts.ts";

describe("whatever the text is", () => {
  const names = SETTINGS.map(({ name }) => name);
  const word = fc.oneof(
    fc.constantFrom(...names, "publicIp", "vtepMac", "subnet", "<<", "constructor", "__proto__", ""),
    fc.string({ maxLength: 12 }),
  );
  const value = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.ipV4(),
    fc.ipV6(),
    fc.constantFrom(
      "10.244.2.0/24",
      "0e:2a:00:00:00:02",
      "fd00::",
      "8MiB",
      "1constructor",
      "constructor",
      "auto",
    ),
  );
  const map = (inner: fc.Arbitrary<unknown>) => fc.dictionary(word, inner, { maxKeys: 5 });
  const tree = fc.oneof(
    value,
    fc.array(value, { maxLength: 4 }),
    fc.array(map(value), { maxLength: 4 }),
    map(value),
  );
  const yaml = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.stringMatching(/^[-[\]{}:,&*!|>'"%@`#?\sa-d0-9./]{0,60}$/),
    map(tree).map((document) => stringify(document)),
    map(tree).map((document) => JSON.stringify(document)),
  );
  const broken = fc.tuple(yaml, fc.nat(), fc.string({ maxLength: 3 })).map(([text, at, insert]) => {
    const cut = text.length === 0 ? 0 : at % text.length;
    return text.slice(0, cut) + insert + text.slice(cut + 1);
  });

  it("there is a configuration or there are mistakes, each at a place in the text", () => {
    fc.assert(
      fc.property(fc.oneof(yaml, broken), (text) => {
        const { config, problems, warnings } = resolveConfig({ file: { name: "f", text } });
        expect(config === null).toBe(problems.length > 0);
        const lines = text.split("\n");
        for (const { place, message } of [...problems, ...warnings]) {
          expect(message).not.toBe("");
          if (place.source === "default") continue;
          expect(place).toMatchObject({ source: "file", file: "f" });
          if (place.source !== "file") continue;
          expect(place.line).toBeGreaterThanOrEqual(1);
          expect(place.line).toBeLessThanOrEqual(lines.length);
          expect(place.column).toBeGreaterThanOrEqual(1);
          expect(place.column).toBeLessThanOrEqual(lines[place.line - 1]!.length + 1);
        }
      }),
      { numRuns: 1500 },
    );
  });

  it("so it is for flags and variables", () => {
    const record = fc.dictionary(fc.constantFrom(...names), fc.oneof(value, fc.array(fc.string())));
    fc.assert(
      fc.property(record, record, (flags, variables) => {
        const env = Object.fromEntries(
          Object.entries(variables).map(([name, text]) => [
            SETTINGS.find((one) => one.name === name)!.env ?? name,
            String(text),
          ]),
        );
        const { config, problems } = resolveConfig({ flags, env });
        expect(config === null).toBe(problems.length > 0);
      }),
    );
  });

  it.each([
    ["deep", "[".repeat(100_000)],
    ["deep maps", "{a: ".repeat(20_000)],
    ["long", `${"a".repeat(1_000_000)}: 1`],
    ["an alias of itself", "peers: &a\n  - *a\n"],
    [
      "an alias bomb",
      `${["a", "b", "c", "d", "e", "f"].map((name, i) => `${name}: &${name} [${Array(40).fill(i === 0 ? "x" : `*${"abcdef"[i - 1]}`)}]`).join("\n")}\npeers: *f\n`,
    ],
    ["many unquoted", "local: fd00::\n".repeat(300)],
  ])("hostile: %s", (_what, text) => {
    expect(mistakes(text).length).toBeGreaterThan(0);
  });

  it("as many wrong settings, as many mistakes, each on its line", () => {
    const wrong: Record<string, string> = {
      vni: "-1",
      device: "a b",
      mtu: "1",
      vtepMac: "x",
      port: "0",
      underlay: "wire",
      senderCheck: "never",
      tos: "256",
      ttl: "256",
      df: "on",
      sourcePorts: "all",
      offload: "tap-tso=maybe",
      queues: "none",
      spin: "1ms",
      logLevel: "loud",
    };
    fc.assert(
      fc.property(fc.shuffledSubarray(Object.keys(wrong)), (keys) => {
        const found = mistakes(keys.map((key) => `${key}: ${wrong[key]}\n`).join(""));
        expect(found.map((one) => one.replace(/^f:(\d+):\d+: (\w+): .*/, "$1 $2"))).toEqual(
          keys.map((key, i) => `${i + 1} ${key}`),
        );
      }),
    );
  });
});
