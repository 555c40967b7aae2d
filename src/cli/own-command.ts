/** How the person who typed this command can type another one. */
import { relative, resolve } from "node:path";

/**
 * How to call this very poplin again: "node dist/cli/main.js" in a clone.
 * @param where "here", or "anywhere" for what is typed in another terminal, which may be in another folder
 */
export function ownCommand(where: "here" | "anywhere" = "here"): string {
  const script = process.argv[1] ?? "poplin";
  if (!script.endsWith(".js")) return "poplin";
  return `node ${where === "here" ? relative(process.cwd(), script) : resolve(script)}`;
}
