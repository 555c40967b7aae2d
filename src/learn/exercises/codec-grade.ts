/**
 * The process in which a learner's codec is looked at, as it may do anything: its one argument is the module. It sends what is
 * wrong first, in words, or null; what the learner prints is his own.
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

process.send!({ fault: await fault(process.argv[2]!) }, () => process.exit(0));
