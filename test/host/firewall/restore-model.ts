/** What `iptables-restore --noflush` makes of a table, as far as our lines go. */
import type { SavedTable } from "../../../src/host/firewall/iptables-rules.ts";

/** @throws Error where iptables would refuse a line, and with it all */
export function restored(table: SavedTable, lines: readonly string[]): SavedTable {
  const chains = new Map<string, string[]>([...table].map(([chain, rules]) => [chain, [...rules]]));
  for (const line of lines) {
    const [, option, chain, rest = ""] = /^(:|-[A-Z] )(\S+)(?: (.*))?$/.exec(line) ?? [];
    if (option === undefined || chain === undefined) throw new Error(`no such line: ${line}`);
    if (option === ":") {
      chains.set(chain, []);
      continue;
    }
    const rules = chains.get(chain);
    if (rules === undefined) throw new Error(`no such chain: ${line}`);
    if (option === "-A ") rules.push(rest);
    else if (option === "-I ") rules.splice(0, 0, rest.replace(/^1 /, ""));
    else if (option === "-F ") rules.length = 0;
    else if (option === "-D ") remove(rules, rest, line);
    else if (option === "-X ") {
      const used = [...chains.values()].flat().some((rule) => rule.endsWith(`-j ${chain}`));
      if (rules.length > 0 || used) throw new Error(`in use: ${line}`);
      chains.delete(chain);
    } else throw new Error(`no such line: ${line}`);
  }
  return chains;
}

function remove(rules: string[], rule: string, line: string): void {
  const at = rules.indexOf(rule);
  if (at < 0) throw new Error(`no such rule: ${line}`);
  rules.splice(at, 1);
}
