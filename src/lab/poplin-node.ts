/** A node whose overlay device is poplin's: the agent, its configuration file, its socket and its log. */
import { writeFileSync } from "node:fs";
import { stringify } from "yaml";
import type { ApiClient } from "../agent/api/client.ts";
import type { AgentStatus } from "../agent/api/status-types.ts";
import { AgentProcess } from "./agent-process.ts";
import type { ExecOptions, ExecResult } from "./host.ts";
import type { Lab } from "./lab.ts";
import type { Network } from "./network.ts";
import { DEVICE, LabNode, type NodeOptions, VNI, VXLAN_PORT } from "./node.ts";
import type { NodePlan } from "./plan.ts";

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
  /** What the configuration file says; change it and call `writeConfig`. */
  config: Record<string, unknown>;
  readonly #args: readonly string[];
  #peers: readonly NodePlan[] = [];
  readonly #agent: AgentProcess;

  constructor(lab: Lab, network: Network, plan: NodePlan, options: PoplinNodeOptions) {
    super(lab, network, plan, options);
    this.configFile = lab.file(`${plan.name}.yaml`);
    this.socket = lab.file(`${plan.name}.sock`);
    this.logFile = lab.file(`${plan.name}.log`);
    this.#agent = new AgentProcess(this.host, { socket: this.socket, log: this.logFile });
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

  get client(): ApiClient {
    return this.#agent.client;
  }

  /** Pid of the running agent. @throws LabError when there is none */
  get pid(): number {
    return this.#agent.pid;
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
    this.#agent.spawn(["agent", "--config", this.configFile, ...this.#args]);
    await this.#agent.ready();
  }

  /** Has another agent take over from the one that runs, as `AgentProcess.replace`. */
  takeOver(args: readonly string[] = []): Promise<number | null> {
    return this.#agent.replace(["agent", "--config", this.configFile, ...this.#args, ...args]);
  }

  /** Sends the agent a signal. */
  signal(signal: NodeJS.Signals): void {
    this.#agent.signal(signal);
  }

  /** Ends the agent and waits for it, as `AgentProcess.stop`. */
  stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    return this.#agent.stop(signal);
  }

  /** Runs a poplin command in the node's namespace, asking this agent where it asks one. */
  poplin(args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    return this.#agent.poplin(args, options);
  }

  status(): Promise<AgentStatus> {
    return this.client.status();
  }

  /** Everything the agents of this node have printed. */
  log(): string {
    return this.#agent.log();
  }
}
