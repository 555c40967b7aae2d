/** How the person who typed this command can type another one. */
import { relative } from "node:path";

/** How to call this very poplin again: "node dist/cli/main.js" in a clone. */
export function ownCommand(): string {
  const script = process.argv[1] ?? "poplin";
  return script.endsWith(".js") ? `node ${relative(process.cwd(), script)}` : "poplin";
}
