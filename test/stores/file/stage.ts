/** A file store's world: a directory in one that is removed with it. */
import { mkdir, mkdtemp, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  formatAttributes,
  type LeaseAttributes,
  type NodeSubnets,
  subnetKey,
} from "../../../src/control/flannel/node-lease.ts";
import { FileStore, type FileStoreOptions } from "../../../src/stores/file/store.ts";
import type { Stage } from "../../contract/store-world.ts";

/** What is left of a share that is away: nothing, or the empty directory it was mounted on. */
export type Absence = "nothing" | "mount point";

export class FileStage implements Stage {
  readonly #root: string;
  readonly #absence: Absence;
  readonly #stores: FileStore[] = [];
  #cut = false;

  private constructor(root: string, absence: Absence) {
    this.#root = root;
    this.#absence = absence;
  }

  static async make(conf: string | null, absence: Absence = "nothing"): Promise<FileStage> {
    const stage = new FileStage(await mkdtemp(join(tmpdir(), "poplin-store-")), absence);
    await mkdir(join(stage.directory, "subnets"), { recursive: true });
    if (conf !== null) await writeFile(join(stage.directory, "config"), `${conf}\n`);
    return stage;
  }

  /** Where the nodes see the share. */
  get directory(): string {
    return join(this.#root, "share");
  }

  /** Where an entry is at this moment. */
  path(key: string): string {
    return join(this.#cut ? this.#away : this.directory, "subnets", key);
  }

  get #away(): string {
    return join(this.#root, "away");
  }

  async open(_node = "node-1", options: Partial<FileStoreOptions> = {}): Promise<FileStore> {
    const store = new FileStore({ directory: this.directory, ...options });
    this.#stores.push(store);
    return store;
  }

  async put(_stranger: string, subnets: NodeSubnets, attributes: LeaseAttributes): Promise<string> {
    return this.write(subnetKey(subnets), formatAttributes(attributes));
  }

  async spoil(_stranger: string, subnets: NodeSubnets): Promise<string> {
    return this.write(subnetKey(subnets), '{"PublicIP": 17}');
  }

  /** Writes a whole entry, as an editor does: under another name, then over the old one. */
  async write(key: string, text: string): Promise<string> {
    const whole = join(this.#root, "whole");
    await writeFile(whole, text);
    await rename(whole, this.path(key));
    return key;
  }

  async remove(key: string): Promise<void> {
    await rm(this.path(key), { recursive: true });
  }

  async cut(): Promise<void> {
    await rename(this.directory, this.#away);
    this.#cut = true;
    if (this.#absence === "mount point") await mkdir(this.directory);
  }

  async mend(): Promise<void> {
    if (this.#absence === "mount point") await rmdir(this.directory);
    await rename(this.#away, this.directory);
    this.#cut = false;
  }

  async close(): Promise<void> {
    await Promise.all(this.#stores.map((store) => store.close()));
    await rm(this.#root, { recursive: true, force: true });
  }
}
