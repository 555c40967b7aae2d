/** A systemd of its own in the network namespace of a host: `boot.sh` has what it sees of this machine. */
import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { outputOf } from "../../../src/host/output.ts";
import type { ExecOptions, ExecResult, Host } from "../../../src/lab/host.ts";
import { ROOT } from "../../helpers/imports.ts";
import { until } from "../agents.ts";

const BOOT = fileURLToPath(new URL("./boot.sh", import.meta.url));

export class Systemd {
  readonly #host: Host;
  readonly #group: string;
  readonly #child: ChildProcess;
  readonly #output: { readonly stderr: string };
  #pid = 0;

  private constructor(host: Host, scratch: string) {
    this.#host = host;
    this.#group = host.namespace;
    mkdirSync(scratch);
    // In a mount namespace of its own from the start; `unshare` becomes the script.
    this.#child = host.spawn(
      "unshare",
      ["--mount", "bash", BOOT, scratch, this.#group, ROOT, process.execPath],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    this.#output = outputOf(this.#child);
  }

  /** @param scratch a folder to make for it. @returns one that has started what it starts by itself */
  static async boot(host: Host, scratch: string): Promise<Systemd> {
    const systemd = new Systemd(host, scratch);
    try {
      await until("systemd runs", () => systemd.#isUp(), 20_000);
    } catch (error) {
      await systemd.destroy();
      throw new Error(`${(error as Error).message}: ${systemd.#output.stderr}`);
    }
    return systemd;
  }

  async #isUp(): Promise<boolean> {
    if (this.#child.exitCode !== null) throw new Error(`it has ended with ${this.#child.exitCode}`);
    const { pid } = this.#child;
    const [first = ""] = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ");
    if (first === "" || readFileSync(`/proc/${first}/comm`, "utf8") !== "systemd\n") return false;
    this.#pid = Number(first);
    const { stdout } = await this.exec("systemctl", ["is-system-running"], { check: false });
    return /^(running|degraded)$/m.test(stdout);
  }

  /** Runs a command beside its services, as root. @throws as `Host.exec` */
  exec(command: string, args: readonly string[] = [], options: ExecOptions = {}): Promise<ExecResult> {
    const inside = ["--target", String(this.#pid), "--all", "--root", "--wd"];
    return this.#host.exec("nsenter", [...inside, command, ...args], options);
  }

  /** Runs lines of shell. @throws Error with the journal's end, where systemctl points to that */
  async sh(lines: string, options: ExecOptions = {}): Promise<string> {
    try {
      return (await this.exec("sh", ["-ec", lines], options)).stdout;
    } catch (error) {
      const { stdout } = await this.exec("journalctl", ["-q", "--no-pager", "-n", "20"], { check: false });
      throw new Error(`${(error as Error).message}\n${stdout}`, { cause: error });
    }
  }

  /** @returns a property of a unit: `ActiveState`, `MainPID` */
  async show(unit: string, property: string): Promise<string> {
    const { stdout } = await this.exec("systemctl", ["show", "--value", `--property=${property}`, unit]);
    return stdout.trim();
  }

  async destroy(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill("SIGKILL");
      await once(this.#child, "close");
    }
    // Its control groups are empty once the last of its processes is gone.
    const remove = `mount -t cgroup2 cgroup2 /mnt && find /mnt/${this.#group} -depth -type d -exec rmdir {} +`;
    await until("its control groups are gone", () => {
      try {
        execFileSync("unshare", ["--mount", "sh", "-c", remove], { stdio: "pipe" });
        return true;
      } catch {
        return false;
      }
    });
  }
}
