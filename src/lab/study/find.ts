/** The labs that `poplin lab` has left up, by name, and the way into their hosts. */
import { ApiClient } from "../../agent/api/client.ts";
import { DEFAULT_SOCKET } from "../../agent/api/schema.ts";
import { LabError } from "../errors.ts";
import { type Entrance, enterHost, isOpen } from "../open.ts";
import { isAlive } from "../owner.ts";
import { demolish, type LabRecord, namespaceOf, records, sweep } from "../registry.ts";
import { type Inventory, type NodeEntry, readInventory } from "./inventory.ts";
import { enterMachine, pathOn } from "./machine.ts";
import { BIN } from "./node.ts";

export interface FoundLab {
  readonly record: LabRecord;
  /** Null while it is being built. */
  readonly inventory: Inventory | null;
}

/** @returns null where there is none of that name */
export function findLab(name: string): FoundLab | null {
  sweep();
  const record = records().find((one) => one.name === name);
  return record === undefined ? null : { record, inventory: readInventory(record.id) };
}

/** How a node's agent is, in a word or two. */
export async function agentState({ init }: NodeEntry): Promise<string> {
  if (!isAlive(init)) return "the node has ended";
  try {
    return (await new ApiClient(pathOn(init, DEFAULT_SOCKET)).status()).state;
  } catch {
    return "no agent";
  }
}

/** Takes the lab of this name down, also one that is being built. @returns whether there was one */
export function takeDown(name: string): boolean {
  sweep();
  const all = records().filter((one) => one.name === name);
  for (const { id } of all) demolish(id);
  return all.length > 0;
}

/**
 * The way into a node or a pod.
 * @param words what to run there; a shell when left out
 * @throws LabError LAB_UNKNOWN where there is none of that name, LAB_UNAVAILABLE where it is not there yet or any more
 */
export function enter(lab: FoundLab, host: string, words: readonly string[]): Entrance {
  const { record, inventory } = lab;
  const run = words.length > 0 ? words : ["bash"];
  if (isOpen(record.id)) return enterHost(record.id, host, run);
  if (inventory === null)
    throw new LabError("LAB_UNAVAILABLE", "the lab is still being built", "wait a moment");
  const { nodes, pods } = inventory;
  const node = nodes.find(({ name }) => name === host);
  if (node !== undefined) {
    if (!isAlive(node.init)) {
      throw new LabError("LAB_UNAVAILABLE", `${host} has ended`, "take the lab down and build it again");
    }
    return { command: throughSignals(enterMachine(node.init), run), env: withBin() };
  }
  if (pods.some(({ name }) => name === host) || OUTSIDE.includes(host)) {
    const space = ["ip", "netns", "exec", namespaceOf(record.id, host)];
    const named = ["unshare", "--uts", "sh", "-c", 'hostname "$0"; exec "$@"', host];
    return { command: [...space, ...named, ...run], env: process.env };
  }
  const there = [...nodes, ...pods].map(({ name }) => name).concat(OUTSIDE);
  throw new LabError("LAB_UNKNOWN", `there is no node or pod "${host}"`, `there are ${there.join(", ")}`);
}

/** Hosts that are no nodes: what is around them. */
const OUTSIDE = ["switch", "world"];

/**
 * nsenter waits for what it runs, and would end at Ctrl-C before that has said its last word, as ping does: so it alone
 * is made deaf to it. What runs begins in a directory of the node's: what it left in `/` would be left on the machine.
 */
function throughSignals(enterWords: readonly string[], run: readonly string[]): string[] {
  return [
    "env",
    "--ignore-signal=INT,QUIT",
    ...enterWords,
    "env",
    "--default-signal=INT,QUIT",
    "--chdir=/root",
    ...run,
  ];
}

/** `poplin` there asks the node's own agent, wherever this shell's own environment leads. */
function withBin(): NodeJS.ProcessEnv {
  const { POPLIN_SOCKET: _, ...env } = process.env;
  return { ...env, PATH: `${BIN}:${env.PATH ?? ""}:/usr/sbin:/sbin`, HOME: "/root" };
}
