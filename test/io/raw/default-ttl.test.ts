import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { defaultTtl } from "../../../src/io/raw/default-ttl.ts";

describe("defaultTtl", () => {
  const folder = mkdtempSync(join(tmpdir(), "poplin-ttl-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each([
    ["255\n", 255],
    ["1\n", 1],
    ["", 64],
    ["0\n", 64],
    ["nonsense", 64],
  ])("%j is %i", (text, ttl) => {
    const file = join(folder, "ip_default_ttl");
    writeFileSync(file, text);
    expect(defaultTtl(4, file)).toBe(ttl);
  });

  it("is 64 where there is no such file", () => {
    expect(defaultTtl(6, join(folder, "none"))).toBe(64);
  });
});
