/** What is meant at a place of the line: which kind of value, which words, or the name of a file. Pure. */
import type { Kind } from "./values.ts";

/** What can stand there. */
export interface Place {
  readonly kinds: readonly Kind[];
  readonly words: readonly string[];
}

const NOTHING: Place = { kinds: [], words: [] };

/** Words of `fdb` and `neigh` behind which a value stands. */
const BEHIND: Readonly<Record<string, Kind>> = { dev: "device", vni: "vni", dst: "vtep", lladdr: "mac" };

/** Commands that take a choice of overlay and nothing else. */
const CHOOSING = new Set(["stats", "top", "fdb show", "fdb flush", "neigh show"]);

/** Options by the name of what they take. */
const OPTION_KINDS: Readonly<Record<string, Kind>> = {
  vni: "vni",
  interface: "interface",
  dev: "interface",
  iface: "interface",
  mac: "mac",
  reason: "reason",
};

/**
 * @param path the command: "fdb add"
 * @param words those that stand behind it, without options, until the one that is asked for
 */
export function placeOf(path: string, words: readonly string[]): Place {
  const before = words.at(-1) ?? "";
  if (Object.hasOwn(BEHIND, before)) return { kinds: [BEHIND[before]!], words: [] };
  const choice = ["dev", "vni"].filter((word) => !words.includes(word));
  if (CHOOSING.has(path)) return { kinds: [], words: choice };
  const [table, op] = path.split(" ");
  if (op === undefined || (table !== "fdb" && table !== "neigh")) return NOTHING;
  if (words.length === 0) return { kinds: [table === "fdb" ? "mac" : "neighbour"], words: [] };
  const target = table === "fdb" ? "dst" : "lladdr";
  const wantsTarget = op !== "why" && !(table === "neigh" && op === "del") && !words.includes(target);
  const port = words.includes("dst") && !words.includes("port") ? ["port"] : [];
  return { kinds: [], words: [...(wantsTarget ? [target] : []), ...port, ...choice] };
}

/** @returns the kind of value that an option takes, where it is one that can be known */
export function kindOfOption(name: string, path: string): Kind | null {
  // Of an agent that is to be started these are new.
  const asks = !["agent", "vtep", "config check", "config show"].includes(path);
  if (name === "vni" && !asks) return null;
  return OPTION_KINDS[name] ?? null;
}

/** @returns whether an option takes the name of a file or folder, by how its value is called */
export function takesFile(option: string, value: string): boolean {
  return (
    /^(file|path|dir|folder)$/i.test(value.replace(/[<>[\].…]/g, "")) || /-(file|path|dir)$/.test(option)
  );
}
