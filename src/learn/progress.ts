/** Which lessons somebody has done: a file in the folder of the lessons, which is the learner's own. */
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Whose files they are, where root has been asked for by sudo. */
interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export class Progress {
  /** Of all lessons. */
  readonly folder: string;
  readonly #owner: Owner | null;

  /** @param folder null: poplin-learn in the home of whoever learns, also behind sudo */
  constructor(folder: string | null, env: NodeJS.ProcessEnv = process.env) {
    const { SUDO_UID: uid, SUDO_GID: gid, SUDO_USER: user } = env;
    const isSudo = process.getuid?.() === 0 && uid !== undefined && gid !== undefined && user !== undefined;
    this.#owner = isSudo ? { uid: Number(uid), gid: Number(gid) } : null;
    const home = isSudo ? homeOf(user) : homedir();
    this.folder = folder ?? join(home, "poplin-learn");
  }

  /** Numbers of the lessons that are done. A file that is none counts as nothing done. */
  done(): ReadonlySet<number> {
    try {
      const { done } = JSON.parse(readFileSync(this.#file, "utf8")) as { done: unknown };
      return new Set(Array.isArray(done) ? done.filter((one) => Number.isInteger(one)) : []);
    } catch {
      return new Set();
    }
  }

  finish(lesson: number): void {
    this.#save(new Set([...this.done(), lesson]));
  }

  /** Forgets that it was done, and removes its files. */
  reset(lesson: number): void {
    this.#save(new Set([...this.done()].filter((one) => one !== lesson)));
    rmSync(this.folderOf(lesson), { recursive: true, force: true });
  }

  folderOf(lesson: number): string {
    return join(this.folder, `L${lesson}`);
  }

  /** Makes a lesson's folder with its files; those that are there stay as they are. */
  prepare(lesson: number, files: Readonly<Record<string, string>>): string {
    const folder = this.folderOf(lesson);
    for (const one of [this.folder, folder]) {
      if (existsSync(one)) continue;
      mkdirSync(one, { recursive: true });
      this.#give(one);
    }
    for (const [name, text] of Object.entries(files)) {
      const file = join(folder, name);
      if (existsSync(file)) continue;
      writeFileSync(file, text);
      this.#give(file);
    }
    return folder;
  }

  get #file(): string {
    return join(this.folder, "progress.json");
  }

  #save(done: ReadonlySet<number>): void {
    if (!existsSync(this.folder)) {
      mkdirSync(this.folder, { recursive: true });
      this.#give(this.folder);
    }
    const text = `${JSON.stringify({ schema: 1, done: [...done].sort((a, b) => a - b) })}\n`;
    writeFileSync(`${this.#file}.new`, text);
    this.#give(`${this.#file}.new`);
    renameSync(`${this.#file}.new`, this.#file);
  }

  #give(path: string): void {
    if (this.#owner !== null) chownSync(path, this.#owner.uid, this.#owner.gid);
  }
}

/** As /etc/passwd has it. */
function homeOf(user: string): string {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((one) => one.startsWith(`${user}:`));
  return line?.split(":")[5] ?? homedir();
}
