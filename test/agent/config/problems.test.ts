import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { closest } from "../../../src/agent/config/problems.ts";
import { SETTINGS } from "../../../src/agent/config/schema.ts";

/** As l2miss and l3miss are: a slip may be as near to one as to the other. */
function isOneLetterOff(a: string, b: string): boolean {
  return a.length === b.length && [...a].filter((letter, i) => letter !== b[i]).length === 1;
}

describe("did you mean", () => {
  const names = SETTINGS.map(({ name }) => name);

  it("finds every setting again after one slip, another case or other word breaks", () => {
    const slip = fc.tuple(
      fc.constantFrom(...names),
      fc.nat(),
      fc.constantFrom("drop", "double", "swap", "case", "break"),
    );
    fc.assert(
      fc.property(slip, ([name, at, kind]) => {
        const i = at % (name.length - 1);
        const slipped = {
          drop: name.slice(0, i) + name.slice(i + 1),
          double: name.slice(0, i) + name[i] + name.slice(i),
          swap: name.slice(0, i) + name[i + 1] + name[i] + name.slice(i + 2),
          case: name.toUpperCase(),
          break: name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        }[kind]!;
        if ((names as string[]).includes(slipped)) return;
        // Short names are one slip away from each other ("mt" is mtu and tos and ttl): any of the nearest will do.
        const guess = closest(slipped, names);
        const twins = names.filter((one) => one === name || isOneLetterOff(one, name));
        if (name.length > 4 || kind === "case") expect(twins).toContain(guess);
        else expect(guess).not.toBeNull();
      }),
    );
  });

  it("does not guess wildly", () => {
    for (const word of ["colour", "x", "", "kubernetes", "a".repeat(1000)])
      expect(closest(word, names)).toBeNull();
  });
});
