/** What a child process prints. */
import type { ChildProcess } from "node:child_process";

/** All of it until now; it grows. */
export interface Output {
  stdout: string;
  stderr: string;
}

/** Reads both streams of a child, as text, from now on. They have to be pipes. */
export function outputOf(child: ChildProcess): Output {
  const output: Output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]!.setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  return output;
}
