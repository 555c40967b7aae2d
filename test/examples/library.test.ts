import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

describe("examples/library.mjs", () => {
  it("runs as its first lines say, on the built package", () => {
    const script = fileURLToPath(new URL("../../examples/library.mjs", import.meta.url));
    const out = execFileSync(process.execPath, [script], { encoding: "utf8" });
    expect(out).toContain("42 bytes in, 42 bytes out, carried over UDP 8472");
    expect(out).toContain("vni = 1");
    expect(out).toContain("targetIp = 10.244.2.0");
  });
});
