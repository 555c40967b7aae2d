/** A real etcd on a host of its own in the nodes' network. */
import { closeSync, openSync, readFileSync } from "node:fs";
import { LabError } from "../errors.ts";
import type { ExecResult, Host } from "../host.ts";
import type { Lab } from "../lab.ts";
import type { Network } from "../network.ts";
import { ETCD } from "./plan.ts";

/** Milliseconds after which an etcd that does not answer never will. */
const PATIENCE = 25_000;
/** Seconds that a lease of flannel's lasts. */
const TTL = 24 * 3600;

export class EtcdHost {
  readonly url: string;
  readonly #host: Host;

  /** @throws LabError LAB_UNAVAILABLE when it does not start */
  static async start(lab: Lab, network: Network): Promise<EtcdHost> {
    const host = lab.addHost(ETCD.name);
    network.attach(host, ETCD);
    const etcd = new EtcdHost(host, `http://${ETCD.address}:2379`);
    await etcd.#run(lab.file("etcd.data"), lab.file("etcd.log"));
    return etcd;
  }

  private constructor(host: Host, url: string) {
    this.#host = host;
    this.url = url;
  }

  async #run(data: string, log: string): Promise<void> {
    const output = openSync(log, "a");
    // Other members there are none: they would be listened for on loopback.
    const urls = ["--listen-client-urls", this.url, "--advertise-client-urls", this.url];
    const child = this.#host.spawn("etcd", ["--data-dir", data, ...urls], {
      detached: true,
      stdio: ["ignore", output, output],
    });
    closeSync(output);
    child.unref();
    let ended = false;
    child.once("exit", () => {
      ended = true;
    });
    const deadline = performance.now() + PATIENCE;
    while (!(await this.#answers())) {
      if (!ended && performance.now() < deadline) continue;
      const said = readFileSync(log, "utf8").trim().split("\n").slice(-5).join("\n");
      throw new LabError("LAB_UNAVAILABLE", `etcd ${ended ? "ended" : "does not answer"}: ${said}`);
    }
  }

  async #answers(): Promise<boolean> {
    return (await this.#etcdctl(["get", "nothing"], false)).status === 0;
  }

  /** Writes a key that stays. */
  async put(key: string, value: string): Promise<void> {
    await this.#etcdctl(["put", key, value]);
  }

  /** Writes a key that ends when nobody renews it, as a flannel node does. */
  async lend(key: string, value: string): Promise<void> {
    const { stdout } = await this.#etcdctl(["lease", "grant", String(TTL)]);
    const [, id] = /^lease (\w+) granted/.exec(stdout)!;
    await this.#etcdctl(["put", "--lease", id!, key, value]);
  }

  #etcdctl(args: readonly string[], check = true): Promise<ExecResult> {
    const env = { ...process.env, ETCDCTL_API: "3" };
    return this.#host.exec("etcdctl", ["--endpoints", this.url, ...args], { check, env });
  }
}
