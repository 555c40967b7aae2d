/** What the tests of the agent as a service stand on: two nodes, an agent of the test's own, and what metrics say. */
import type { ChildProcess } from "node:child_process";
import { POPLIN } from "../../src/lab/agent-process.ts";
import { Cluster } from "../../src/lab/cluster.ts";
import type { LabNode } from "../../src/lab/node.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { type Family, readExposition } from "../agent/metrics/exposition.ts";
import { Listener } from "../agent/systemd/listener.ts";
import { until } from "./agents.ts";
import { type Answer, ask } from "./pages.ts";

export const READY: Answer = { status: 200, text: "poplin is ready" };

/** node-a (poplin, under test) and node-b (kernel VXLAN), each with a pod. */
export class ServiceStage {
  readonly cluster: Cluster;
  readonly a: PoplinNode;
  readonly b: LabNode;
  readonly #open: { close(): unknown }[] = [];

  /** @param config more of node-a's */
  constructor(config: Record<string, unknown> = {}) {
    this.cluster = Cluster.build({
      nodes: [
        { name: "node-a", kind: "poplin", config },
        { name: "node-b", kind: "kernel" },
      ],
    });
    this.a = this.cluster.poplin("node-a");
    this.b = this.cluster.node("node-b");
  }

  /** Starts the other node, and writes node-a's configuration. */
  async prepare(): Promise<void> {
    await this.b.start(this.cluster.peersOf(this.b));
    this.a.setPeers(this.cluster.peersOf(this.a));
  }

  /** Starts node-a's agent, with its standard error on what Node calls a pipe, which is a socket, or as given. */
  spawn(env: NodeJS.ProcessEnv = {}, stderr: "pipe" | number = "pipe"): ChildProcess {
    const { host, configFile } = this.a;
    const child = host.spawn(process.execPath, [POPLIN, "agent", "--config", configFile], {
      stdio: ["ignore", "ignore", stderr],
      env: { PATH: process.env.PATH, ...env },
    });
    return this.closing(child, () => child.kill("SIGKILL"));
  }

  /** As `spawn`, for a systemd that wants to hear from it 2.5 times a second. @returns once the agent is ready */
  async spawnHeard(): Promise<{ agent: ChildProcess; systemd: Listener }> {
    // By path: an abstract name belongs to a network namespace, and the agent is in another.
    const name = `${this.a.socket}.notify`;
    const systemd = await Listener.open(name);
    this.closing(systemd, () => systemd.close());
    const agent = this.spawn({ NOTIFY_SOCKET: name, WATCHDOG_USEC: "400000" });
    await until("READY=1", () => systemd.lines.includes("READY=1"));
    return { agent, systemd };
  }

  /** Has something ended when the test is over. */
  closing<T>(what: T, close: () => unknown): T {
    this.#open.push({ close });
    return what;
  }

  /** The families that node-a's agent has at this moment. */
  async metrics(): Promise<Map<string, Family>> {
    return readExposition((await ask(this.a.socket, "/metrics")).text);
  }

  async isReady(): Promise<boolean> {
    return (await ask(this.a.socket, "/readyz")).status === 200;
  }

  destroy(): void {
    for (const { close } of this.#open.splice(0)) close();
    this.cluster.destroy();
  }
}

/** What a family says, by the values of its labels. */
export function values(families: ReadonlyMap<string, Family>, name: string): Record<string, number> {
  const series = families.get(name)?.series ?? [];
  return Object.fromEntries(series.map(({ labels, value }) => [Object.values(labels).join(" "), value]));
}
