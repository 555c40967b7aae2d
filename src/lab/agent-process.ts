/** A `poplin` command that runs on a host of a lab until it is told to end: an agent with its socket and its log. */
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ApiClient } from "../agent/api/client.ts";
import { LabError } from "./errors.ts";
import type { ExecOptions, ExecResult, Host } from "./host.ts";

/** The compiled command: agents are processes of their own, and Node runs no TypeScript before version 22. */
export const POPLIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Milliseconds an agent gets to be ready, and to end. An idle machine takes a fraction of it. */
const READY_TIMEOUT = 20_000;
const STOP_TIMEOUT = 10_000;
const POLL = 20;

export interface AgentFiles {
  readonly socket: string;
  readonly log: string;
}

export class AgentProcess {
  readonly host: Host;
  readonly client: ApiClient;
  readonly #files: AgentFiles;
  #agent: ChildProcess | null = null;

  constructor(host: Host, files: AgentFiles) {
    this.host = host;
    this.#files = files;
    this.client = new ApiClient(files.socket);
  }

  /** Pid of the running agent. @throws LabError when there is none */
  get pid(): number {
    const pid = this.#agent?.pid;
    if (pid === undefined) throw new LabError("LAB_AGENT", `${this.host.name}: no agent is running`);
    return pid;
  }

  /**
   * Starts it, and does not wait.
   * @param args of `poplin`
   * @param env beside a clean environment
   */
  spawn(args: readonly string[], env: NodeJS.ProcessEnv = {}, wrapper: readonly string[] = []): void {
    const log = openSync(this.#files.log, "a");
    const [command, ...words] = [...wrapper, process.execPath, POPLIN, ...args];
    // A session of its own: Ctrl-C at a terminal is for who owns the lab, and a kept lab outlives its owner.
    const options = {
      detached: true,
      stdio: ["ignore", log, log] as ["ignore", number, number],
      env: { ...agentEnvironment(), ...env },
    };
    const agent = this.host.spawn(command!, words, options);
    closeSync(log);
    agent.unref();
    this.#agent = agent;
  }

  /** Resolves when it forwards. @throws LabError LAB_AGENT with its log if it is not ready in time */
  async ready(): Promise<void> {
    const agent = this.#agent!;
    // Not the wall clock: a virtual machine that was paused wakes up late.
    const deadline = performance.now() + READY_TIMEOUT;
    let last = "it did not answer";
    while (performance.now() < deadline) {
      if (ended(agent)) throw this.#failed(`the agent ended with ${agent.signalCode ?? agent.exitCode}`);
      try {
        const status = await this.client.status();
        if (status.pid === this.host.pidOf(agent) && status.state !== "starting") return;
        last = `it says "${status.state}"`;
      } catch (error) {
        last = (error as Error).message;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL));
    }
    throw this.#failed(`the agent was not ready within ${READY_TIMEOUT / 1000} s: ${last}`);
  }

  #failed(what: string): LabError {
    return new LabError("LAB_AGENT", `${this.host.name}: ${what}\n${this.log()}`.trim());
  }

  /** Sends the agent a signal. */
  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /**
   * Ends the agent and waits for it.
   * @returns its exit code, null when a signal ended it
   * @throws LabError LAB_AGENT when it does not end in time; it is killed then
   */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const agent = this.#agent;
    if (agent === null) return null;
    if (!ended(agent)) agent.kill(signal);
    return this.end(`of ${signal}`);
  }

  /**
   * Starts another in its place, with `--take-over`, and waits until that forwards.
   * @param args as of `spawn`, and `env`
   * @returns the exit code of the one before
   * @throws LabError LAB_AGENT when the new one does not forward: the one before is the agent then, as it was
   */
  async replace(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<number | null> {
    const before = this.#agent;
    this.spawn([...args, "--take-over"], env);
    const after = this.#agent;
    try {
      await this.ready();
    } catch (error) {
      after?.kill("SIGKILL");
      this.#agent = before;
      throw error;
    }
    this.#agent = before;
    const code = await this.end("after it was replaced");
    this.#agent = after;
    return code;
  }

  /** Waits for its end, told by somebody or by itself. @returns as `stop` */
  async end(since = ""): Promise<number | null> {
    const agent = this.#agent;
    if (agent === null) return null;
    this.#agent = null;
    const end = new Promise<boolean>((resolve) => {
      if (ended(agent)) return resolve(true);
      agent.ref();
      agent.once("exit", () => resolve(true));
      setTimeout(() => resolve(false), STOP_TIMEOUT).unref();
    });
    if (await end) return agent.exitCode;
    agent.kill("SIGKILL");
    throw this.#failed(`the agent did not end within ${STOP_TIMEOUT / 1000} s ${since}`.trim());
  }

  /** Runs a poplin command on the host, asking this agent where it asks one. */
  poplin(args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const env = { ...(options.env ?? agentEnvironment()), POPLIN_SOCKET: this.#files.socket };
    return this.host.exec(process.execPath, [POPLIN, ...args], { ...options, env });
  }

  /** Everything that it has printed, in all its runs. */
  log(): string {
    try {
      return readFileSync(this.#files.log, "utf8");
    } catch {
      return "";
    }
  }
}

/** The environment without what would configure an agent behind the file's back. */
function agentEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(POPLIN|FLANNELD)_/.test(name)),
  );
}

function ended(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
