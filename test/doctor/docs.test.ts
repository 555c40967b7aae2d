/** docs/operating.md has every check of doctor's; `npx vitest run test/doctor -u` writes it. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { GROUPS } from "../../src/doctor/check.ts";
import { CHECKS } from "../../src/doctor/table.ts";
import { withPart } from "../helpers/document-part.ts";

const FILE = "../../docs/operating.md";

it("docs/operating.md says of every finding why it matters and what to do", async () => {
  const cell = (text: string) => text.replaceAll("|", "\\|");
  const tables = GROUPS.map((group) => {
    const rows = CHECKS.filter((check) => check.group === group).map(
      ({ code, severity, about, why, cure }) =>
        `| \`${code}\` | ${severity} | ${cell(about)} | ${cell(why)} | ${cell(cure)} |`,
    );
    const head = ["| code | | all is well when | why it matters | what to do |", "|---|---|---|---|---|"];
    return [`### ${group === "start" ? "start, with `--pre`" : group}`, "", ...head, ...rows].join("\n");
  });
  const document = readFileSync(new URL(FILE, import.meta.url), "utf8");
  await expect(withPart(document, "checks", tables.join("\n\n"))).toMatchFileSnapshot(FILE);
});
