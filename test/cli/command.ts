/** The built command as a process, and an agent for it to ask. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ApiServer, startApiServer } from "../../src/agent/api/server.ts";
import { type Output, outputOf } from "../../src/host/output.ts";
import { FakeAgent } from "../agent/api/fake-agent.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** What a command printed, where, and what it exited with. */
export interface Result extends Readonly<Output> {
  readonly code: number | null;
}

export interface RunOptions {
  readonly env?: Record<string, string>;
  /** A command that runs the command. */
  readonly via?: readonly string[];
}

/** A folder with a socket on which an agent answers once it is started. One for each test, closed after it. */
export class CommandLine {
  readonly folder = mkdtempSync(join(tmpdir(), "poplin-cli-"));
  readonly socket = join(this.folder, "agent.sock");
  readonly agent = new FakeAgent();
  readonly #cleanups: (() => unknown)[] = [];
  #server: ApiServer | null = null;

  async startAgent(): Promise<void> {
    this.#server = await startApiServer({ path: this.socket, view: this.agent });
  }

  async stopAgent(): Promise<void> {
    await this.#server?.close();
    this.#server = null;
  }

  start(args: readonly string[], { env = {}, via = [] }: RunOptions = {}): ChildProcess {
    const [command, ...rest] = [...via, process.execPath, MAIN, ...args];
    const child = spawn(command!, rest, {
      env: { PATH: process.env.PATH, POPLIN_SOCKET: this.socket, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.atEnd(() => child.kill("SIGKILL"));
    return child;
  }

  /** Runs the command to its end. @param args words between blanks */
  async poplin(args: string, options: RunOptions = {}): Promise<Result> {
    const child = this.start(
      args.split(" ").filter((word) => word !== ""),
      options,
    );
    const output = outputOf(child);
    const [code] = (await once(child, "close")) as [number | null];
    return { code, ...output };
  }

  /** Has something done when the test is over. */
  atEnd(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup);
  }

  async close(): Promise<void> {
    for (const cleanup of this.#cleanups) await cleanup();
    await this.stopAgent();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
