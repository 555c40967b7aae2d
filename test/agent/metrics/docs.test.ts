import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { metricsReference } from "../../../src/agent/metrics/reference.ts";

it("docs/metrics.md has every metric (`-u` writes it)", async () => {
  const file = fileURLToPath(new URL("../../../docs/metrics.md", import.meta.url));
  await expect(metricsReference()).toMatchFileSnapshot(file);
});
