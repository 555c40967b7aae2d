/** A node whose overlay device is poplin's: the agent, its configuration file, its socket and its log. */
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { ApiClient } from "../agent/api/client.ts";
import type { AgentStatus } from "../agent/api/types.ts";
import { LabError } from "./errors.ts";
import type { ExecOptions, ExecResult } from "./host.ts";
import type { Lab } from "./lab.ts";
import type { Network } from "./network.ts";
import { DEVICE, LabNode, type NodeOptions, VNI, VXLAN_PORT } from "./node.ts";
import type { NodePlan } from "./plan.ts";

/** The compiled command: agents are processes of their own, and Node runs no TypeScript before version 22. */
export const POPLIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Milliseconds an agent gets to be ready, and to end. An idle machine takes a fraction of it. */
const READY_TIMEOUT = 20_000;
const STOP_TIMEOUT = 10_000;
const POLL = 20;

export interface PoplinNodeOptions extends NodeOptions {
  readonly underlay?: "batch" | "dgram" | "raw";
  /** More of the configuration file, or other values than the lab's. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** More arguments for `poplin agent`. */
  readonly args?: readonly string[];
}

export class PoplinNode extends LabNode {
  readonly kind = "poplin";
  readonly configFile: string;
  readonly socket: string;
  readonly logFile: string;
  readonly client: ApiClient;
  /** What the configuration file says; change it and call `writeConfig`. */
  config: Record<string, unknown>;
  readonly #args: readonly string[];
  #peers: readonly NodePlan[] = [];
  #agent: ChildProcess | null = null;

  constructor(lab: Lab, network: Network, plan: NodePlan, options: PoplinNodeOptions) {
    super(lab, network, plan, options);
    this.configFile = lab.file(`${plan.name}.yaml`);
    this.socket = lab.file(`${plan.name}.sock`);
    this.logFile = lab.file(`${plan.name}.log`);
    this.client = new ApiClient(this.socket);
    this.#args = options.args ?? [];
    this.config = {
      vni: VNI,
      device: DEVICE,
      address: options.ipv6 ? [`${plan.overlay}/32`, `${plan.overlay6}/128`] : `${plan.overlay}/32`,
      mtu: options.mtu,
      vtepMac: plan.vtepMac,
      local: this.vtepAddress(),
      port: VXLAN_PORT,
      underlay: options.underlay ?? "batch",
      socket: this.socket,
      ...options.config,
    };
  }

  /** Pid of the running agent. @throws LabError when there is none */
  get pid(): number {
    const pid = this.#agent?.pid;
    if (pid === undefined) throw new LabError("LAB_AGENT", `${this.plan.name}: no agent is running`);
    return pid;
  }

  /** Writes the configuration and starts the agent; resolves when it forwards. */
  override async start(peers: readonly NodePlan[]): Promise<void> {
    this.setPeers(peers);
    await this.startAgent();
  }

  /** Writes the configuration file with these peers. */
  setPeers(peers: readonly NodePlan[]): void {
    this.#peers = peers;
    this.writeConfig();
  }

  writeConfig(): void {
    const peers = this.#peers.map((peer) => ({
      publicIp: this.vtepAddress(peer),
      vtepMac: peer.vtepMac,
      subnet: this.options.ipv6 ? [peer.subnet, peer.subnet6] : peer.subnet,
    }));
    writeFileSync(this.configFile, stringify({ ...this.config, peers: this.config.peers ?? peers }));
  }

  /** Starts the agent on the configuration file as it is. @throws LabError LAB_AGENT with its log if it is not ready in time */
  async startAgent(): Promise<void> {
    const log = openSync(this.logFile, "a");
    const args = [POPLIN, "agent", "--config", this.configFile, ...this.#args];
    // A session of its own: Ctrl-C at a terminal is for who owns the lab, and a kept lab outlives its owner.
    const options = {
      detached: true,
      stdio: ["ignore", log, log] as ["ignore", number, number],
      env: agentEnvironment(),
    };
    const agent = this.host.spawn(process.execPath, args, options);
    closeSync(log);
    agent.unref();
    this.#agent = agent;
    await this.#ready(agent);
  }

  async #ready(agent: ChildProcess): Promise<void> {
    // Not the wall clock: a virtual machine that was paused wakes up late.
    const deadline = performance.now() + READY_TIMEOUT;
    let last = "it did not answer";
    while (performance.now() < deadline) {
      if (ended(agent)) throw this.#failed(`the agent ended with ${agent.signalCode ?? agent.exitCode}`);
      try {
        const status = await this.client.status();
        if (status.pid === agent.pid && status.state !== "starting") return;
        last = `it says "${status.state}"`;
      } catch (error) {
        last = (error as Error).message;
      }
      await sleep(POLL);
    }
    throw this.#failed(`the agent was not ready within ${READY_TIMEOUT / 1000} s: ${last}`);
  }

  #failed(what: string): LabError {
    return new LabError("LAB_AGENT", `${this.plan.name}: ${what}\n${this.log()}`.trim());
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
    this.#agent = null;
    const end = new Promise<boolean>((resolve) => {
      if (ended(agent)) return resolve(true);
      agent.ref();
      agent.once("exit", () => resolve(true));
      setTimeout(() => resolve(false), STOP_TIMEOUT).unref();
      agent.kill(signal);
    });
    if (await end) return agent.exitCode;
    agent.kill("SIGKILL");
    throw this.#failed(`the agent did not end within ${STOP_TIMEOUT / 1000} s of ${signal}`);
  }

  /** Runs a poplin command in the node's namespace, asking this agent where it asks one. */
  poplin(args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const env = { ...(options.env ?? agentEnvironment()), POPLIN_SOCKET: this.socket };
    return this.host.exec(process.execPath, [POPLIN, ...args], { ...options, env });
  }

  status(): Promise<AgentStatus> {
    return this.client.status();
  }

  /** Everything the agents of this node have printed. */
  log(): string {
    try {
      return readFileSync(this.logFile, "utf8");
    } catch {
      return "";
    }
  }
}

/** The environment without what would configure an agent behind the file's back. */
function agentEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("POPLIN_")));
}

function ended(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
