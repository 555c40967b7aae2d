/**
 * A real etcd on loopback, on ports and data of its own: started, killed, stopped and continued, started again on the same
 * data, and asked with etcdctl past the store.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** Milliseconds after which an etcd that does not answer never will. */
const PATIENCE = 25_000;

export interface ServerOptions {
  /** Beside those of where it listens and writes. */
  readonly args?: readonly string[];
  readonly scheme?: "http" | "https";
  /** "--initial-cluster", where it is not alone. */
  readonly cluster?: string;
  /** What etcdctl needs to be let in. */
  readonly ctl?: readonly string[];
  /** Where clients reach it; loopback when left out. */
  readonly address?: string;
  /** What etcd and etcdctl are run by, as "ip netns exec NAME". */
  readonly wrapper?: readonly string[];
}

/** For clients, and for other members. */
type Ports = readonly [client: number, peer: number];

export class EtcdServer {
  readonly url: string;
  readonly #peer: string;
  readonly #cluster: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "poplin-etcd-"));
  readonly #options: ServerOptions;
  /** More flags for etcdctl, once authentication is on. */
  ctl: readonly string[] = [];
  #process: ChildProcess | null = null;

  private constructor(ports: Ports, options: ServerOptions) {
    this.url = `${options.scheme ?? "http"}://${options.address ?? "127.0.0.1"}:${ports[0]}`;
    this.#peer = `http://127.0.0.1:${ports[1]}`;
    this.#options = options;
    this.#cluster = options.cluster ?? `default=${this.#peer}`;
  }

  static async start(options: ServerOptions = {}): Promise<EtcdServer> {
    const server = new EtcdServer(await freePorts(), options);
    await server.run();
    return server;
  }

  /** Two that are one cluster: either alone has no leader. */
  static async startPair(): Promise<[EtcdServer, EtcdServer]> {
    const [a, b] = [await freePorts(), await freePorts()];
    const cluster = `a=http://127.0.0.1:${a[1]},b=http://127.0.0.1:${b[1]}`;
    const pair: [EtcdServer, EtcdServer] = [
      new EtcdServer(a, { cluster, args: ["--name", "a"] }),
      new EtcdServer(b, { cluster, args: ["--name", "b"] }),
    ];
    await Promise.all(pair.map((server) => server.run()));
    return pair;
  }

  /** Starts it, also again on the same data and ports, and waits until it answers. */
  async run(): Promise<void> {
    const log = openSync(join(this.#folder, "log"), "a");
    const args = [
      ...["--data-dir", join(this.#folder, "data"), "--initial-cluster", this.#cluster],
      ...["--listen-client-urls", this.url, "--advertise-client-urls", this.url],
      ...["--listen-peer-urls", this.#peer, "--initial-advertise-peer-urls", this.#peer],
      ...(this.#options.args ?? []),
    ];
    const [command, ...words] = [...(this.#options.wrapper ?? []), "etcd", ...args];
    const child = spawn(command!, words, { stdio: ["ignore", log, log] });
    this.#process = child;
    closeSync(log);
    // Also where a test ends without its hooks.
    const kill = () => child.kill("SIGKILL");
    process.once("exit", kill);
    child.once("exit", () => process.removeListener("exit", kill));
    const end = performance.now() + PATIENCE;
    while (!(await this.answers())) {
      if (performance.now() > end || child.exitCode !== null) {
        throw new Error(
          `etcd does not start:\n${readFileSync(join(this.#folder, "log"), "utf8").slice(-2000)}`,
        );
      }
    }
  }

  async answers(): Promise<boolean> {
    return this.etcdctl("get", "nothing").then(
      () => true,
      () => false,
    );
  }

  /** As after a crash: nothing is written, nobody is told. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child === null || child.exitCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  /** Removes its data; while it does not run. */
  forget(): void {
    rmSync(join(this.#folder, "data"), { recursive: true });
  }

  /** It hangs: connections stay, and nobody answers. */
  hang(): void {
    this.#process?.kill("SIGSTOP");
  }

  goOn(): void {
    this.#process?.kill("SIGCONT");
  }

  async close(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** @returns what etcdctl prints. @throws where it fails */
  async etcdctl(...args: readonly string[]): Promise<string> {
    const flags = [
      "--endpoints",
      this.url,
      "--command-timeout",
      "20s",
      ...(this.#options.ctl ?? []),
      ...this.ctl,
    ];
    const [command, ...words] = [...(this.#options.wrapper ?? []), "etcdctl", ...flags, ...args];
    const { stdout } = await promisify(execFile)(command!, words, {
      env: { ...process.env, ETCDCTL_API: "3" },
    });
    return stdout;
  }

  /** @returns an etcd lease of so many seconds, for `put --lease` */
  async grant(seconds: number): Promise<string> {
    const [, id] = /^lease (\w+) granted/.exec(await this.etcdctl("lease", "grant", String(seconds))) ?? [];
    return id!;
  }

  /** @param id decimal, as `get` says it */
  async timeToLive(id: string): Promise<{ "granted-ttl": number; keys: string[] | null }> {
    const hex = BigInt(id).toString(16);
    return JSON.parse(await this.etcdctl("lease", "timetolive", hex, "--keys", "--write-out", "json"));
  }

  /** @returns the ids of etcd leases that no key has */
  async leasesWithoutKeys(): Promise<string[]> {
    const [, ...ids] = (await this.etcdctl("lease", "list")).trim().split("\n");
    const free = await Promise.all(
      ids.map(async (id) => {
        const { keys } = await this.timeToLive(BigInt(`0x${id}`).toString());
        return (keys ?? []).length === 0 ? [id] : [];
      }),
    );
    return free.flat();
  }

  /** Makes several changes at once, in etcdctl's words. */
  transaction(...changes: readonly string[]): Promise<void> {
    return this.#pipe(["txn"], `\n${changes.map((change) => `${change}\n`).join("")}\n\n`);
  }

  /** Puts many keys at once: a process for each would take long. */
  async putAll(pairs: readonly (readonly [key: string, value: string])[], atOnce = 128): Promise<void> {
    // etcd takes 128 changes in a transaction, where --max-txn-ops says no other number.
    for (let at = 0; at < pairs.length; at += atOnce) {
      const puts = pairs.slice(at, at + atOnce).map(([key, value]) => `put ${key} ${JSON.stringify(value)}`);
      await this.transaction(...puts);
    }
  }

  async #pipe(args: readonly string[], input: string): Promise<void> {
    const [command, ...words] = [
      ...(this.#options.wrapper ?? []),
      ...["etcdctl", "--endpoints", this.url, ...args],
    ];
    const child = spawn(command!, words, {
      stdio: ["pipe", "ignore", "inherit"],
      env: { ...process.env, ETCDCTL_API: "3" },
    });
    child.stdin!.end(input);
    const [code] = await once(child, "exit");
    if (code !== 0) throw new Error(`etcdctl ${args.join(" ")} failed`);
  }

  /** @returns a key's value and its etcd lease (0: none), or null */
  async get(key: string): Promise<{ value: string; lease: string; revision: number } | null> {
    // Leases are numbers of 64 bits, which JavaScript would round.
    const text = (await this.etcdctl("get", key, "--write-out", "json")).replace(
      /"lease":(\d+)/g,
      '"lease":"$1"',
    );
    const { kvs = [] } = JSON.parse(text) as {
      kvs?: { value: string; lease?: string; mod_revision: number }[];
    };
    const kv = kvs[0];
    if (kv === undefined) return null;
    const value = Buffer.from(kv.value, "base64").toString();
    return { value, lease: kv.lease ?? "0", revision: kv.mod_revision };
  }
}

async function freePorts(): Promise<Ports> {
  return [await freePort(), await freePort()];
}

/** @returns a port on which nobody listened a moment ago */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
