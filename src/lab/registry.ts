/**
 * Which labs there are on this machine, and whose. A lab is written down before its first namespace is made, and
 * crossed out after its last one is gone: whoever starts the next lab can take down what a killed owner left, and
 * nothing else. In /run, so that a reboot forgets it together with the namespaces.
 *
 *   /run/poplin/labs/<id>.json   the record
 *   /run/poplin/labs/<id>/       its files: configurations, sockets, logs
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DropTrace } from "./drop-trace.ts";
import { listNamespaces, removeNamespaces } from "./netns.ts";
import { isAlive, type Owner, self } from "./owner.ts";

export const LABS = "/run/poplin/labs";

export interface LabRecord {
  readonly id: string;
  readonly owner: Owner;
  /** It is meant to outlive its owner (`poplin demo --keep`, `poplin lab up`); only `down` takes it down. */
  readonly kept: boolean;
  /** As `poplin lab` calls it; null for those that have an id only. */
  readonly name: string | null;
  /** ISO 8601, UTC. */
  readonly created: string;
}

/** "poplin-3f9a1c-node-a": what the host `name` of a lab is called as a namespace. */
export function namespaceOf(id: string, name: string): string {
  return `poplin-${id}-${name}`;
}

/** Folder with a lab's files. */
export function folderOf(id: string): string {
  return join(LABS, id);
}

/**
 * Writes a new lab down, owned by this process.
 * @param name as `poplin lab` calls it; null where the id is enough
 * @returns its record, with an id that nobody else has
 */
export function register(name: string | null = null): LabRecord {
  mkdirSync(LABS, { recursive: true, mode: 0o755 });
  for (;;) {
    const id = randomBytes(3).toString("hex");
    const record = { id, owner: self(), kept: false, name, created: new Date().toISOString() };
    try {
      writeFileSync(join(LABS, `${id}.json`), JSON.stringify(record), { mode: 0o600, flag: "wx" });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") continue;
      throw error;
    }
    mkdirSync(folderOf(id), { mode: 0o700 });
    return record;
  }
}

/** Replaces a record as a whole: a reader sees the old one or the new one. */
export function save(record: LabRecord): void {
  const path = join(LABS, `${record.id}.json`);
  writeFileSync(`${path}.new`, `${JSON.stringify(record)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Every lab that is written down. */
export function records(): LabRecord[] {
  let files: string[];
  try {
    files = readdirSync(LABS).filter((file) => file.endsWith(".json"));
  } catch {
    return [];
  }
  return files.flatMap((file) => {
    try {
      return [JSON.parse(readFileSync(join(LABS, file), "utf8")) as LabRecord];
    } catch {
      return []; // removed since, by its owner
    }
  });
}

/** A file of a lab's that says that there is a trace, which is the machine's, and has to be removed with it. */
export function traceFile(trace: string): string {
  return `${trace}.trace`;
}

function tracesOf(id: string): string[] {
  const files = existsSync(folderOf(id)) ? readdirSync(folderOf(id)) : [];
  return files.filter((file) => file.endsWith(".trace")).map((file) => file.slice(0, -".trace".length));
}

/** Removes everything that belongs to a lab, processes first. Safe to call again, and when nothing is there. */
export function demolish(id: string): void {
  const prefix = namespaceOf(id, "");
  removeNamespaces(listNamespaces().filter((name) => name.startsWith(prefix)));
  for (const trace of tracesOf(id)) DropTrace.remove(trace);
  rmSync(folderOf(id), { recursive: true, force: true });
  rmSync(join(LABS, `${id}.json`), { force: true });
}

/**
 * Removes the labs whose owner is dead; of the kept ones those that have nothing left but their record.
 * @returns their ids
 */
export function sweep(): string[] {
  const all = records();
  const names = all.length > 0 ? listNamespaces() : [];
  const dead = all.filter(({ id, kept, owner }) =>
    kept ? !names.some((name) => name.startsWith(namespaceOf(id, ""))) : !isAlive(owner),
  );
  for (const record of dead) demolish(record.id);
  return dead.map((record) => record.id);
}
