/**
 * Programs that act in a network namespace although this process is in another: small scripts of their names, first in
 * PATH, each of which runs the real program in there and writes down that it did.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

export class Programs {
  readonly #folder = mkdtempSync(join(tmpdir(), "poplin-programs-"));
  readonly #log = join(this.#folder, "log");
  readonly #path = process.env.PATH;

  /** @param programs by the name that is called, the program that is run */
  constructor(namespace: string, programs: Readonly<Record<string, string>>) {
    for (const [name, real] of Object.entries(programs)) {
      const script = `echo ${name} "$*" >> ${this.#log}\nexec ip netns exec ${namespace} ${whereIs(real)} "$@"`;
      this.stand(name, script);
    }
    process.env.PATH = `${this.#folder}${delimiter}${this.#path}`;
  }

  /** Puts a script in a program's place. */
  stand(name: string, script: string): void {
    writeFileSync(join(this.#folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }

  /** @returns what was run since the last call, "iptables -t nat -S POSTROUTING" */
  calls(): string[] {
    let text = "";
    try {
      text = readFileSync(this.#log, "utf8");
    } catch {
      // nothing was run
    }
    rmSync(this.#log, { force: true });
    return text.split("\n").filter((line) => line !== "");
  }

  remove(): void {
    process.env.PATH = this.#path;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** @returns a program's path, which no PATH changes */
export function whereIs(program: string): string {
  const folders = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"];
  const path = folders.map((folder) => join(folder, program)).find(existsSync);
  if (path === undefined) throw new Error(`there is no ${program}`);
  return path;
}

/** iptables of one variant ("nft", "legacy"), and nft, under the names that are called. */
export function firewallPrograms(variant: "nft" | "legacy"): Record<string, string> {
  const names = ["iptables", "ip6tables"].flatMap((name) => [
    [name, `${name}-${variant}`],
    [`${name}-restore`, `${name}-${variant}-restore`],
  ]);
  return { ...Object.fromEntries(names), nft: "nft" };
}
