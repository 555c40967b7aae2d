import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const script = fileURLToPath(new URL("./steady-state.mjs", import.meta.url));

describe("the steady state", () => {
  it("allocates nothing per packet: a million frames through encap and decap, the heap flat", () => {
    const flags = ["--expose-gc", "--max-semi-space-size=256", "--min-semi-space-size=256"];
    const out = execFileSync(process.execPath, [...flags, script], { encoding: "utf8" });
    const { frames, moved, grown, collections, lost } = JSON.parse(out);
    expect(moved).toBe(frames);
    expect(lost).toBe(0);
    expect(collections).toBe(0);
    // One object per packet would be 16 MB and more; what is left is of looks at the clock, one turn in many (turn-times.ts),
    // and the compiler's and the measurement's own.
    expect(grown / frames).toBeLessThan(0.5);
  }, 60_000);
});
