/**
 * Labs whose hosts `poplin lab shell` may enter just so, as those of lessons: namespaces, in which `poplin` asks the
 * host's own agent.
 */
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { POPLIN } from "./agent-process.ts";
import { LabError } from "./errors.ts";
import type { Lab } from "./lab.ts";
import { listNamespaces } from "./netns.ts";
import { folderOf, namespaceOf } from "./registry.ts";

/** How to run something in a host from a terminal. */
export interface Entrance {
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

function binOf(id: string): string {
  return join(folderOf(id), "bin");
}

/** From now on its hosts may be entered. An agent's socket there is called `<host>.sock`. */
export function openLab(lab: Lab): void {
  const bin = binOf(lab.id);
  mkdirSync(bin);
  const path = join(bin, "poplin");
  writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' '${POPLIN}' "$@"\n`);
  chmodSync(path, 0o755);
}

export function isOpen(id: string): boolean {
  return existsSync(binOf(id));
}

/** The environment of what runs on a host. */
export function environmentOf(id: string, host: string): NodeJS.ProcessEnv {
  const path = `${binOf(id)}:${process.env.PATH ?? ""}:/usr/sbin:/sbin`;
  return { ...process.env, PATH: path, POPLIN_SOCKET: join(folderOf(id), `${host}.sock`) };
}

/**
 * The way into a host of an open lab.
 * @param words what to run there
 * @throws LabError LAB_UNKNOWN where there is none of that name
 */
export function enterHost(id: string, host: string, words: readonly string[]): Entrance {
  const prefix = namespaceOf(id, "");
  const there = listNamespaces()
    .filter((name) => name.startsWith(prefix))
    .map((name) => name.slice(prefix.length));
  if (!there.includes(host)) {
    throw new LabError("LAB_UNKNOWN", `there is no host "${host}"`, `there are ${there.sort().join(", ")}`);
  }
  const named = ["unshare", "--uts", "sh", "-c", 'hostname "$0"; exec "$@"', host];
  const command = ["ip", "netns", "exec", namespaceOf(id, host), ...named, ...words];
  return { command, env: environmentOf(id, host) };
}
