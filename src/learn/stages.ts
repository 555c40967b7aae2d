/** What lessons play in: a folder alone, or a folder and a lab beside it. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Cluster, type ClusterOptions } from "../lab/cluster.ts";
import type { Stage, Typed } from "./lesson.ts";

const run = promisify(execFile);

/** Milliseconds after which what was typed is given up; some of it never ends. */
const TIMEOUT = 60_000;

export class FolderStage implements Stage {
  readonly folder: string;
  readonly hosts: Readonly<Record<string, string>> = {};

  constructor(folder: string) {
    this.folder = folder;
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

export class ClusterStage extends FolderStage {
  override readonly hosts: Readonly<Record<string, string>>;
  readonly cluster: Cluster;

  private constructor(folder: string, cluster: Cluster, hosts: Readonly<Record<string, string>>) {
    super(folder);
    this.cluster = cluster;
    this.hosts = hosts;
  }

  static async start(
    folder: string,
    options: ClusterOptions,
    hosts: Readonly<Record<string, string>>,
  ): Promise<ClusterStage> {
    return new ClusterStage(folder, await Cluster.start({ ...options, name: "learn" }), hosts);
  }

  override async type(typed: Typed): Promise<void> {
    if (typed.where === "here") return super.type(typed);
    await this.cluster.lab
      .host(typed.where)
      .exec("bash", ["-c", typed.shell], { check: false, timeout: TIMEOUT });
  }

  override destroy(): void {
    this.cluster.destroy();
  }
}
