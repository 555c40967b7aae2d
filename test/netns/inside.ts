/**
 * Runs functions of a TypeScript file in a child process inside a network namespace of its own. A test process cannot
 * change its namespace, so what needs one is a "scenario": an exported function whose JSON result the test looks at.
 * (`ip netns exec` gives the child a mount namespace too: what a scenario mounts is gone with it.)
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Whether this machine lets us make namespaces and TAPs. */
export const canMakeNamespaces =
  process.platform === "linux" &&
  process.getuid?.() === 0 &&
  existsSync("/dev/net/tun") &&
  spawnSync("unshare", ["--net", "true"]).status === 0;

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const RUNNER = `
  import { runnerImport } from "vite";
  const [file, scenario] = process.argv.slice(1);
  const { module } = await runnerImport(file, { configFile: false, logLevel: "error", root: process.cwd() });
  process.stdout.write(JSON.stringify(await module[scenario]()) + "\\n");
  process.exit(0);`;

/** A namespace with its loopback up. */
export class Inside {
  readonly name = `poplin-${randomBytes(4).toString("hex")}-test`;
  readonly #file: string;
  readonly #children = new Set<ChildProcess>();

  /** @param file the URL of the scenarios */
  constructor(file: URL) {
    this.#file = fileURLToPath(file);
    execFileSync("ip", ["netns", "add", this.name]);
    execFileSync("ip", ["-n", this.name, "link", "set", "lo", "up"]);
  }

  /** Runs `ip` in the namespace. */
  ip(...words: string[]): void {
    execFileSync("ip", ["-n", this.name, ...words]);
  }

  /**
   * Starts a scenario. Its first line of output ends the wait of `run`, or is the caller's to read.
   * @param seconds after which it is ended
   */
  start(scenario: string, seconds = 60): ChildProcess {
    const node = [process.execPath, "--input-type=module", "-e", RUNNER, this.#file, scenario];
    const child = spawn("ip", ["netns", "exec", this.name, ...node], {
      cwd: ROOT,
      stdio: ["pipe", "pipe", "pipe"],
      timeout: seconds * 1000,
    });
    this.#children.add(child);
    child.once("exit", () => this.#children.delete(child));
    return child;
  }

  /** Runs a scenario to its end and returns what it returned. */
  run<T>(scenario: string, seconds?: number): Promise<T> {
    const child = this.start(scenario, seconds);
    let [output, errors] = ["", ""];
    child.stdout!.on("data", (chunk) => (output += chunk));
    child.stderr!.on("data", (chunk) => (errors += chunk));
    return new Promise((resolve, reject) => {
      child.once("close", (code, signal) => {
        if (code === 0) resolve(JSON.parse(output) as T);
        else reject(new Error(`${scenario} ended with ${code ?? signal}: ${errors}`));
      });
    });
  }

  /** Ends what still runs and removes the namespace, with every device in it. */
  remove(): void {
    for (const child of this.#children) child.kill("SIGKILL");
    execFileSync("ip", ["netns", "del", this.name]);
  }
}
