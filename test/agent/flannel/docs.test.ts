/** docs/flannel.md is held to the flags and to the settings that are refused; `npx vitest run test/agent/flannel -u` writes it. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { DECIDED } from "../../../src/agent/flannel/config.ts";
import { flagsHelp } from "../../../src/agent/flannel/flags-help.ts";
import { withPart } from "../../helpers/document-part.ts";

const FILE = "../../../docs/flannel.md";

it("docs/flannel.md has every flag as help prints it, and every setting that is refused", async () => {
  const document = readFileSync(new URL(FILE, import.meta.url), "utf8");
  const help = `\`\`\`text\n${flagsHelp()}\`\`\``;
  const rows = Object.entries(DECIDED).map(([setting, why]) => `| \`${setting}\` | ${why} |`);
  const table = ["| setting | because |", "|---|---|", ...rows].join("\n");
  const wanted = withPart(withPart(document, "help", help), "decided", table);
  await expect(wanted).toMatchFileSnapshot(FILE);
});
