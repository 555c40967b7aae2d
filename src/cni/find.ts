/** Where CNI plugins are. */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";

/** @returns the plugin's path, in the first of the directories that has it; undefined where none has */
export function findPlugin(type: string, directories: readonly string[]): string | undefined {
  // A name alone: whoever writes a configuration chooses among the plugins that are installed.
  if (type.includes("/")) return undefined;
  return directories.map((directory) => join(directory, type)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
