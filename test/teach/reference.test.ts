/** `docs/packet.md` and its drawings are what the tables say; `npx vitest run test/teach/reference.test.ts -u` writes them. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { tableFields } from "../../src/teach/diagram.ts";
import { CHAPTERS, packetReference } from "../../src/teach/reference.ts";
import { headerSvg } from "../../src/teach/svg-diagram.ts";

const docs = (file: string): string => fileURLToPath(new URL(`../../docs/${file}`, import.meta.url));

it("docs/packet.md is up to date", async () => {
  await expect(packetReference()).toMatchFileSnapshot(docs("packet.md"));
});

it.each(CHAPTERS.map((table) => [table.name, table] as const))(
  "docs/packet/%s.svg is up to date",
  async (name, table) => {
    await expect(headerSvg(table.title, tableFields(table))).toMatchFileSnapshot(docs(`packet/${name}.svg`));
  },
);

it("there is no drawing of a header that has no chapter", () => {
  expect(readdirSync(docs("packet")).sort()).toEqual(CHAPTERS.map(({ name }) => `${name}.svg`).sort());
});
