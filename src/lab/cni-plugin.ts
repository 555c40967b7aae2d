/** One run of one CNI plugin: where it is, what it is told, and what it says when it fails. */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { LabError } from "./errors.ts";
import type { Host } from "./host.ts";

export type Command = "ADD" | "CHECK" | "DEL";

/** What a plugin has made, in the words of the specification. */
export interface CniResult {
  readonly cniVersion: string;
  readonly interfaces?: readonly {
    readonly name: string;
    readonly mac?: string;
    readonly sandbox?: string;
  }[];
  readonly ips?: readonly {
    readonly address: string;
    readonly gateway?: string;
    readonly interface?: number;
  }[];
  readonly routes?: readonly { readonly dst: string; readonly gw?: string }[];
}

/** A plugin that failed. */
export class CniPluginError extends LabError {
  /** Its type, as in the configuration. */
  readonly plugin: string;
  readonly command: Command;
  /** What it said by CNI's rules; null when it said nothing of that kind, as when it was killed. */
  readonly cni: { readonly code: number; readonly msg: string; readonly details?: string } | null;
  /** What it wrote to standard error. */
  readonly stderr: string;

  constructor(
    plugin: string,
    command: Command,
    said: { status: number | null; stdout: string; stderr: string },
  ) {
    const cni = errorIn(said.stdout);
    const how = said.status === null ? "was killed" : `exit code ${said.status}`;
    const why =
      cni === null
        ? `${how} ${said.stdout}${said.stderr}`.trim()
        : [`${cni.msg} (code ${cni.code})`, cni.details].filter(Boolean).join("; ");
    super("LAB_CNI", `${command} by ${plugin}: ${why}`);
    this.plugin = plugin;
    this.command = command;
    this.cni = cni;
    this.stderr = said.stderr;
  }
}

export interface PluginRun {
  /** CNI_PATH, and where the plugin itself is looked for. */
  readonly bin: readonly string[];
  /** Milliseconds. */
  readonly timeout: number;
  /** The other variables of CNI. */
  readonly env: Readonly<Record<string, string>>;
  /** What it reads. */
  readonly conf: object;
}

/** Runs a plugin in a node's namespace. @returns what it printed @throws CniPluginError, LabError LAB_CNI */
export async function runPlugin(node: Host, command: Command, type: string, run: PluginRun): Promise<string> {
  const { bin, timeout, conf } = run;
  const env = { ...process.env, ...run.env, CNI_COMMAND: command, CNI_PATH: bin.join(":") };
  const options = { env, timeout, input: JSON.stringify(conf), check: false };
  const said = await node.exec(findPlugin(type, bin), [], options);
  if (said.status !== 0) throw new CniPluginError(type, command, said);
  return said.stdout;
}

function findPlugin(type: string, bin: readonly string[]): string {
  const found = bin.map((directory) => join(directory, type)).find(isProgram);
  if (found !== undefined && !type.includes("/")) return found;
  const remedy = "install it there: apt-get install containernetworking-plugins has those that most need";
  throw new LabError("LAB_CNI", `there is no CNI plugin "${type}" in ${bin.join(", ")}`, remedy);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function errorIn(stdout: string): CniPluginError["cni"] {
  try {
    const said = JSON.parse(stdout) as NonNullable<CniPluginError["cni"]>;
    return typeof said.msg === "string" ? said : null;
  } catch {
    return null;
  }
}
