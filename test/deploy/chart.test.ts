/** The chart and the manifest that is made from it; `npx vitest run test/deploy -u` writes that. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { chart, DEPLOY, manifest, objectsOf } from "./chart.ts";

const MANIFEST = `${DEPLOY}kubernetes/kube-poplin.yml`;

it("kube-poplin.yml is a namespace, and the chart with its default values", async () => {
  const [head] = readFileSync(MANIFEST, "utf8").split(/^---$/m);
  expect(objectsOf(head!)).toMatchObject([{ kind: "Namespace" }]);
  await expect(head + manifest()).toMatchFileSnapshot(MANIFEST);
});
