/**
 * The process in which a learner's codec is looked at, as it may do anything: its one argument is the module. It prints a
 * line of JSON: what is wrong first, in words, or null.
 */
import { pathToFileURL } from "node:url";
import { firstFault } from "./codec-vectors.ts";

async function fault(path: string): Promise<string | null> {
  try {
    return firstFault(await import(pathToFileURL(path).href));
  } catch (error) {
    const { stack = "", message, name } = error as Error;
    const line = /codec\.mjs:(\d+)/.exec(stack)?.[1];
    return `codec.mjs${line === undefined ? "" : `, line ${line}`}: ${name}: ${message}`;
  }
}

const path = process.argv[2]!;
process.stdout.write(`${JSON.stringify(await fault(path))}\n`, () => process.exit(0));
