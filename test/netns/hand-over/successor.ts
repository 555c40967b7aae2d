/** A process that is to take over, and may never: nobody waits for it, and its output can be read. */
import type { ChildProcess } from "node:child_process";
import { POPLIN } from "../../../src/lab/agent-process.ts";
import type { PoplinNode } from "../../../src/lab/poplin-node.ts";

export interface Successor {
  readonly pid: number;
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  /** What it has printed so far. */
  output(): string;
}

/**
 * Starts `poplin agent --take-over` on the node's file.
 * @param args more of them
 * @param wrapper a command that runs it; its pid is the successor's where it replaces itself by it
 */
export function launch(
  node: PoplinNode,
  args: readonly string[] = [],
  wrapper: readonly string[] = [],
): Successor {
  const words = [process.execPath, POPLIN, "agent", "--config", node.configFile, "--take-over", ...args];
  const [command, ...rest] = [...wrapper, ...words];
  const child = node.host.spawn(command!, rest, { stdio: ["ignore", "pipe", "pipe"] });
  return watch(child);
}

function watch(child: ChildProcess): Successor {
  let text = "";
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
  }
  const ended = new Promise<number | string>((resolve) => {
    child.once("close", (code, signal) => resolve(code ?? signal!));
  });
  return { pid: child.pid!, ended, output: () => text };
}
