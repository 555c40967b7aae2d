/**
 * A node of the study's cluster: a machine with `poplin flanneld`, and what a kubelet finds on it to make pods with.
 *
 *   /etc/kube-flannel/net-conf.json, cni-conf.json   as the DaemonSet has them
 *   /etc/cni/net.d/10-flannel.conflist               for the container runtime
 *   /opt/cni/bin/                                    the plugins that the study lists
 *   /opt/poplin/bin/                                 poplin, also as flanneld
 *   /run/poplin/flanneld.log                         what the agent says
 */
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { DEFAULT_SOCKET } from "../../agent/api/schema.ts";
import type { AgentStatus } from "../../agent/api/status-types.ts";
import { AgentProcess, POPLIN } from "../agent-process.ts";
import { CniRuntime } from "../cni.ts";
import { LabError } from "../errors.ts";
import type { Host } from "../host.ts";
import type { Lab } from "../lab.ts";
import type { Network } from "../network.ts";
import { type NodePlan, UNDERLAY } from "../plan.ts";
import { Machine } from "./machine.ts";
import { exampleFile, type PodPlan } from "./plan.ts";
import type { StudyStore } from "./store.ts";

const LOG = "/run/poplin/flanneld.log";
const SUBNET_ENV = "/run/flannel/subnet.env";
/** Where a node has `poplin`. */
export const BIN = "/opt/poplin/bin";

/** flannel's CNI plugin, of this build. */
const PLUGIN = fileURLToPath(new URL("../../../dist/cni/main.js", import.meta.url));

/** Where Debian's containernetworking-plugins are, and which of them the study's nodes have. */
export const PLUGINS = {
  from: "/usr/lib/cni",
  names: ["bridge", "host-local", "loopback", "portmap", "ptp"],
};

/** Milliseconds until the nodes know each other. */
const PATIENCE = 30_000;

export class StudyNode {
  readonly plan: NodePlan;
  readonly machine: Machine;
  /** Its signals would end `nsenter`, which takes the agent with it: `pkill flanneld` on the machine is how to end it. */
  readonly #agent: AgentProcess;
  readonly #lab: Lab;
  readonly #runtime: CniRuntime;
  readonly #flags: readonly string[];

  /** Makes the machine and what is on it, and starts nothing. */
  static async make(lab: Lab, network: Network, plan: NodePlan, store: StudyStore): Promise<StudyNode> {
    const host = lab.addHost(plan.name);
    network.attach(host, plan);
    host.ip(`route add default via ${UNDERLAY.gateway}`);
    const machine = await Machine.boot(lab, host, { shared: store.shared });
    furnish(machine);
    return new StudyNode(lab, plan, machine, store.flags);
  }

  private constructor(lab: Lab, plan: NodePlan, machine: Machine, flags: readonly string[]) {
    this.#lab = lab;
    this.plan = plan;
    this.machine = machine;
    this.#flags = flags;
    this.#agent = new AgentProcess(machine, {
      socket: machine.path(DEFAULT_SOCKET),
      log: machine.path(LOG),
    });
    this.#runtime = new CniRuntime(machine, {
      conf: "/etc/cni/net.d",
      bin: ["/opt/cni/bin"],
      cache: "/var/lib/cni/results",
    });
  }

  /** Starts the agent; resolves when it forwards. Under flanneld's name, so that `pgrep flanneld` finds it. */
  async start(): Promise<void> {
    const env = { NODE_OPTIONS: "--title=flanneld" };
    this.#agent.spawn(["flanneld", "--ip-masq", ...this.#flags], env);
    await this.#agent.ready();
  }

  /** Waits until it has so many peers, and has said what pods are set up from. @throws LabError LAB_AGENT */
  async knows(others: number): Promise<void> {
    const deadline = performance.now() + PATIENCE;
    for (;;) {
      const { peers } = await this.status();
      if (peers.filter(({ state }) => state === "ok").length === others && this.subnetEnv() !== "") return;
      if (performance.now() > deadline) {
        const why = `${this.plan.name} does not know its ${others} peers after ${PATIENCE / 1000} s`;
        throw new LabError("LAB_AGENT", `${why}\n${this.#agent.log()}`.trim());
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Has the node's plugins make a pod, as a container runtime does. @returns its namespace, with the address it got */
  async addPod({ name }: PodPlan): Promise<{ host: Host; address: string }> {
    const host = this.#lab.addHost(name);
    const { ips } = await this.#runtime.add(host);
    return { host, address: ips![0]!.address };
  }

  /** What the file says; "" while there is none. */
  subnetEnv(): string {
    try {
      return readFileSync(this.machine.path(SUBNET_ENV), "utf8");
    } catch {
      return "";
    }
  }

  status(): Promise<AgentStatus> {
    return this.#agent.client.status();
  }
}

/** Puts on the machine what has to be there before the agent. */
function furnish(machine: Machine): void {
  const place = (file: string): string => {
    const path = machine.path(file);
    mkdirSync(dirname(path), { recursive: true });
    return path;
  };
  for (const name of ["net-conf.json", "cni-conf.json"]) {
    copyFileSync(exampleFile(name), place(`/etc/kube-flannel/${name}`));
  }
  copyFileSync(exampleFile("cni-conf.json"), place("/etc/cni/net.d/10-flannel.conflist"));
  for (const name of PLUGINS.names) symlinkSync(`${PLUGINS.from}/${name}`, place(`/opt/cni/bin/${name}`));
  // The plugin is the code of this build, run by Node; a cluster's nodes have it as one executable (docs/cni.md).
  const programs = {
    "/opt/cni/bin/flannel": [PLUGIN],
    [`${BIN}/poplin`]: [POPLIN],
    [`${BIN}/flanneld`]: [POPLIN, "flanneld"],
  };
  for (const [name, words] of Object.entries(programs)) {
    const path = place(name);
    const command = [process.execPath, ...words].map((word) => `'${word}'`).join(" ");
    writeFileSync(path, `#!/bin/sh\nexec ${command} "$@"\n`);
    chmodSync(path, 0o755);
  }
}
