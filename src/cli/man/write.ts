/** `npm run build:man`: every manual page, written to dist/man, from where npm installs them. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { version } from "../../agent/version.ts";
import { COMMANDS } from "../commands.ts";
import { buildProgram } from "../program.ts";
import { commandPage, overviewPage, pageName } from "./page.ts";

/** @returns the pages by the names of their files: "poplin-fdb.1" */
export async function manPages(): Promise<ReadonlyMap<string, string>> {
  const program = await buildProgram();
  const context = { version: version(), commands: Object.keys(COMMANDS) };
  return new Map([
    [`${pageName("")}.1`, overviewPage(program, context)],
    ...program.commands.map(
      (command) => [`${pageName(command.name())}.1`, commandPage(command, context)] as const,
    ),
  ]);
}

/** Writes them into a folder, in which nothing else is left. */
export async function writeManPages(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of await manPages()) writeFileSync(join(folder, name), text);
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await writeManPages(fileURLToPath(new URL("../../man", import.meta.url)));
