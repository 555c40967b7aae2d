/** poplin's version, from package.json: two folders up, from `src/agent` as from `dist/agent`. */
import { readFileSync } from "node:fs";

export function version(): string {
  const file = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
