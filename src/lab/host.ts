/** One throw-away host: a network namespace with a name, and what can be done in it. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { type Output, outputOf } from "../host/output.ts";
import { LabError } from "./errors.ts";
import { ip, ipBatch, pidsIn } from "./netns.ts";
import { IPV6 } from "./plan.ts";

export interface ExecOptions {
  /** Milliseconds, 30,000 when left out; then the command is killed and counts as failed. */
  readonly timeout?: number;
  /** What it reads from its standard input. */
  readonly input?: string | Uint8Array;
  /** True (default): throw when it does not exit with 0. */
  readonly check?: boolean;
  /** Instead of this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
}

export interface ExecResult extends Readonly<Output> {
  /** Exit code; null when a signal ended it, the time-out's SIGKILL included. */
  readonly status: number | null;
}

const TIMEOUT = 30_000;

export class Host {
  /** As the lab calls it: "node-a". */
  readonly name: string;
  /** As `ip netns` calls it: "poplin-3f9a1c-node-a". */
  readonly namespace: string;

  constructor(name: string, namespace: string) {
    this.name = name;
    this.namespace = namespace;
  }

  /** Starts a command in the namespace. `ip netns exec` becomes the command, so the child's pid is the command's. */
  spawn(command: string, args: readonly string[] = [], options: SpawnOptions = {}): ChildProcess {
    return spawn("ip", ["netns", "exec", this.namespace, command, ...args], options);
  }

  /** Runs a command to its end. @throws LabError LAB_COMMAND, unless `check` is false */
  exec(command: string, args: readonly string[] = [], options: ExecOptions = {}): Promise<ExecResult> {
    const { timeout = TIMEOUT, input, check = true, env = process.env } = options;
    const child = this.spawn(command, args, { env });
    return new Promise((resolve, reject) => {
      const output = outputOf(child);
      // A command that does not read its input is no failure (EPIPE).
      child.stdin!.on("error", () => {});
      child.stdin!.end(input);
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        child.kill("SIGKILL");
      }, timeout);
      child.on("error", (error) => {
        clearTimeout(timer);
        reject(new LabError("LAB_UNAVAILABLE", `cannot run ip netns exec: ${error.message}`));
      });
      child.on("close", (status, signal) => {
        clearTimeout(timer);
        if (status === 0 || !check) return resolve({ status, ...output });
        const how = late ? `took more than ${timeout} ms` : `ended with ${signal ?? `exit code ${status}`}`;
        const said = [output.stderr.trim(), output.stdout.trim()].filter(Boolean).join("\n");
        reject(
          new LabError(
            "LAB_COMMAND",
            `${this.name}: ${[command, ...args].join(" ")}: ${how}\n${said}`.trim(),
          ),
        );
      });
    });
  }

  /** Runs lines of `ip` commands here, at once. @throws LabError at the first that fails */
  ip(...lines: string[]): void {
    ipBatch(this.namespace, lines);
  }

  /** Sets sysctls of this namespace: `{ "net/ipv4/ip_forward": 1 }`, named as under /proc/sys. */
  sysctl(values: Readonly<Record<string, string | number>>): void {
    const lines = Object.entries(values).map(([name, value]) => `echo ${value} > /proc/sys/${name}`);
    ip(["netns", "exec", this.namespace, "sh", "-ec", lines.join("\n")]);
  }

  /** The same under /proc/sys/net/ipv6; nothing where the kernel runs without IPv6. */
  sysctl6(values: Readonly<Record<string, string | number>>): void {
    if (!IPV6) return;
    this.sysctl(
      Object.fromEntries(Object.entries(values).map(([name, value]) => [`net/ipv6/${name}`, value])),
    );
  }

  /** Lets it pass on packets between its interfaces. */
  forwarding(): void {
    this.sysctl({ "net/ipv4/ip_forward": 1 });
    this.sysctl6({ "conf/all/forwarding": 1 });
  }

  /** Where this process finds a file of the host's. */
  path(file: string): string {
    return file;
  }

  /** The pid that a child of `spawn` has by its own count; undefined when it has ended. */
  pidOf(child: ChildProcess): number | undefined {
    return child.pid;
  }

  /** Pids of what runs here. */
  pids(): number[] {
    return pidsIn(this.namespace);
  }
}
