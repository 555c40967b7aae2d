/** What lessons play in: a folder alone, or a folder and a lab beside it. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Lab } from "../lab/lab.ts";
import { environmentOf, openLab } from "../lab/open.ts";
import type { Stage, Typed } from "./lesson.ts";

const run = promisify(execFile);

/** Milliseconds after which what was typed is given up; some of it never ends. */
const TIMEOUT = 60_000;
/** As `poplin lab shell --name` calls what there is of a lesson. */
export const LAB_NAME = "learn";

export class FolderStage implements Stage {
  readonly folder: string;
  readonly hosts: Readonly<Record<string, string>>;

  constructor(folder: string, hosts: Readonly<Record<string, string>> = {}) {
    this.folder = folder;
    this.hosts = hosts;
  }

  async type({ shell }: Typed): Promise<void> {
    await run("bash", ["-c", shell], { cwd: this.folder, timeout: TIMEOUT }).catch(() => {});
  }

  /** What stands in a file of the learner's; "" where there is none. */
  read(name: string): string {
    const path = join(this.folder, name);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }

  destroy(): void {}
}

/** With a lab, which `poplin lab shell --name learn` enters. */
export class LabStage extends FolderStage {
  readonly lab: Lab;

  /** @param hosts those that there is something to do on */
  constructor(folder: string, lab: Lab, hosts: Readonly<Record<string, string>>) {
    super(folder, hosts);
    this.lab = lab;
    openLab(lab);
  }

  override async type(typed: Typed): Promise<void> {
    const { where, shell } = typed;
    if (where === "here") return super.type(typed);
    const env = environmentOf(this.lab.id, where);
    await this.lab.host(where).exec("bash", ["-c", shell], { check: false, timeout: TIMEOUT, env });
  }

  override destroy(): void {
    this.lab.destroy();
  }
}
