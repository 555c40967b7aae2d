/** Runs another CNI plugin in our place: the same environment, its own configuration. */
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { readObject } from "./conf.ts";
import type { DelegateConf } from "./delegate-conf.ts";
import { CNI_CODE, CniError } from "./error.ts";

/**
 * Runs the delegate to its end. What it writes to standard error goes where ours goes.
 * @param path CNI_PATH
 * @returns what it printed
 * @throws CniError with the delegate's own words where it has some
 */
export function runDelegate(conf: DelegateConf, env: NodeJS.ProcessEnv, path: string): string {
  const program = findPlugin(conf.type, path);
  const { status, signal, error, stdout } = spawnSync(program, {
    env,
    input: JSON.stringify(conf),
    stdio: ["pipe", "pipe", "inherit"],
    encoding: "utf8",
  });
  if (status === 0) return stdout;
  // EPIPE: it ended without reading all, and its end says why.
  if (status === null && signal === null && error !== undefined) {
    throw new CniError(CNI_CODE.internal, `${program} could not be run: ${error.message}`);
  }
  throw errorOf(
    conf.type,
    stdout,
    status === null ? `was ended by ${signal}` : `ended with exit code ${status}`,
  );
}

function findPlugin(type: string, path: string): string {
  const directories = path.split(delimiter).filter(Boolean);
  const program = directories.map((directory) => join(directory, type)).find(isProgram);
  if (program !== undefined && !type.includes("/")) return program;
  const details = "install it there; Debian's package containernetworking-plugins has bridge and host-local";
  throw new CniError(CNI_CODE.internal, `there is no plugin "${type}" in ${directories.join(", ")}`, details);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The delegate's own error; one of ours where it has printed none. */
function errorOf(type: string, stdout: string, how: string): CniError {
  try {
    const { code, msg, details = "" } = readObject(stdout);
    if (typeof code === "number" && typeof msg === "string") return new CniError(code, msg, String(details));
  } catch {
    // It has printed something else, or nothing.
  }
  return new CniError(CNI_CODE.internal, `the plugin ${type} ${how}`, stdout.trim());
}
