/**
 * What was delegated for a container, kept from ADD to DEL: `<dataDir>/<container>`, the delegate's configuration and
 * nothing else, as flannel's own plugin has it. So either one deletes what the other has added.
 *
 * The file's mode says whether the ADD came to its end: 0600 while it is under way, 0400 from then on.
 */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { DelegateConf } from "./delegate-conf.ts";
import { CNI_CODE, CniError } from "./error.ts";

const UNDER_WAY = 0o600;
const DONE = 0o400;

export class State {
  readonly path: string;
  readonly #directory: string;
  /** What a write that was cut off leaves: no container's name begins with a dot. */
  readonly #half: string;

  constructor(dataDir: string, container: string) {
    this.#directory = dataDir;
    this.path = join(dataDir, container);
    this.#half = join(dataDir, `.${container}`);
  }

  /** Keeps it, before the delegate runs: whole or not at all, and on the disk. @throws CniError */
  save(conf: DelegateConf): void {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      rmSync(this.#half, { force: true });
      const file = openSync(this.#half, "wx", UNDER_WAY);
      try {
        writeFileSync(file, JSON.stringify(conf));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(this.#half, this.path);
    } catch (error) {
      const details =
        "`dataDir` in the network configuration says where; is there room, and may it be written?";
      throw new CniError(CNI_CODE.io, `${this.path} cannot be written: ${(error as Error).message}`, details);
    }
  }

  /** The ADD has come to its end. */
  done(): void {
    chmodSync(this.path, DONE);
  }

  /** Whether an ADD has begun whose end nobody has seen. */
  get isUnderWay(): boolean {
    const mode = statSync(this.path, { throwIfNoEntry: false })?.mode ?? DONE;
    return (mode & 0o777) !== DONE;
  }

  /** @returns the file's text; null where nothing was added, or all is deleted. @throws CniError */
  read(): string | null {
    try {
      return readFileSync(this.path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw new CniError(CNI_CODE.io, `${this.path} cannot be read: ${(error as Error).message}`);
    }
  }

  /** Forgets it: nothing is left that a DEL would have to take away. */
  remove(): void {
    rmSync(this.#half, { force: true });
    rmSync(this.path, { force: true });
  }
}
