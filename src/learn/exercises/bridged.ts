/**
 * Three hosts with a VXLAN device each that learns and floods, as a port of a bridge, and stations behind them that know
 * nothing of all this:
 *
 *   station-a ── br0 ── vx100 (poplin vtep) ── host-a ┐
 *   station-b ── br0 ── vx100 (poplin vtep) ── host-b ┼─ switch
 *   station-c ── br0 ── vx100 (poplin vtep) ── host-c ┘
 */
import type { FdbRow } from "../../dataplane/options.ts";
import { AgentProcess } from "../../lab/agent-process.ts";
import type { Host } from "../../lab/host.ts";
import { Lab } from "../../lab/lab.ts";
import { type Network, switchNetwork } from "../../lab/network.ts";
import { type NodePlan, planNode } from "../../lab/plan.ts";
import { LAB_NAME, LabStage } from "../stages.ts";

const DEVICE = "vx100";
const MTU = 1450;
export const NAMES = ["a", "b", "c"] as const;
export type Name = (typeof NAMES)[number];

/** Where a host's tunnel ends, and a station's address and MAC. */
const planOf = (name: Name): NodePlan => planNode(`host-${name}`, NAMES.indexOf(name));
export const vtepOf = (name: Name): string => planOf(name).address;
export const addressOf = (name: Name): string => `10.9.0.${NAMES.indexOf(name) + 2}`;
export const macOf = (name: Name): string => `02:99:00:00:00:0${name}`;

export interface BridgedOptions {
  /** Seconds. */
  readonly ageing: number;
  /** The host behind which a station is; that of its own name when left out. */
  readonly places?: Partial<Record<Name, Name>>;
}

export class BridgedStage extends LabStage {
  readonly #agents: ReadonlyMap<Name, AgentProcess>;

  static async start(folder: string, options: BridgedOptions): Promise<BridgedStage> {
    const lab = Lab.create(LAB_NAME);
    try {
      const stage = new BridgedStage(folder, lab, options);
      await Promise.all([...stage.#agents].map(([name, agent]) => stage.#startAgent(name, agent, options)));
      return stage;
    } catch (error) {
      lab.destroy();
      throw error;
    }
  }

  private constructor(folder: string, lab: Lab, { places = {} }: BridgedOptions) {
    const words = NAMES.flatMap((name) => [
      [`host-${name}`, `poplin vtep runs here, ${vtepOf(name)}`],
      [`station-${name}`, `${addressOf(name)}, ${macOf(name)}`],
    ]);
    super(folder, lab, Object.fromEntries(words));
    const network = switchNetwork(lab);
    this.#agents = new Map(NAMES.map((name) => [name, agentOn(lab, addBridge(lab, network, name))]));
    for (const name of NAMES) addStation(lab, name, places[name] ?? name);
  }

  async #startAgent(name: Name, agent: AgentProcess, { ageing }: BridgedOptions): Promise<void> {
    const others = NAMES.filter((other) => other !== name).map(vtepOf);
    agent.spawn([
      ...["vtep", "--vni", "100", "--device", DEVICE, "--mtu", String(MTU), "--local", vtepOf(name)],
      ...["--ageing", String(ageing), "--remote", ...others, "--socket", agent.client.path],
    ]);
    await agent.ready();
    agent.host.ip(`link set ${DEVICE} master br0`);
  }

  /** The row that host-a has of a station's MAC. */
  async rowOf(name: Name): Promise<FdbRow | undefined> {
    const rows = await this.#agents.get("a")!.client.fdb();
    return rows.find(({ mac }) => mac === macOf(name));
  }

  /** Frames that host-a has dropped on their way in, for that reason. */
  async dropped(reason: "VXLAN_ENTRY_EXISTS"): Promise<number> {
    return (await this.#agents.get("a")!.client.stats()).drops.rx[reason] ?? 0;
  }

  /** Runs poplin on host-a. */
  async onA(...words: string[]): Promise<void> {
    await this.#agents.get("a")!.poplin(words);
  }
}

function addBridge(lab: Lab, network: Network, name: Name): Host {
  const host = lab.addHost(`host-${name}`);
  network.attach(host, planOf(name));
  host.ip(`link add br0 mtu ${MTU} type bridge`, "link set br0 up");
  return host;
}

function agentOn(lab: Lab, host: Host): AgentProcess {
  return new AgentProcess(host, { socket: lab.file(`${host.name}.sock`), log: lab.file(`${host.name}.log`) });
}

function addStation(lab: Lab, name: Name, place: Name): void {
  const [host, station] = [lab.host(`host-${place}`), lab.addHost(`station-${name}`)];
  lab.cable({ host, name: `to-${name}` }, { host: station, name: "eth0" }, MTU);
  host.ip(`link set to-${name} master br0`);
  // It speaks when somebody has it speak, and not for IPv6's sake.
  station.sysctl6({ "conf/all/disable_ipv6": 1, "conf/default/disable_ipv6": 1 });
  station.ip(
    "link set eth0 down",
    `link set eth0 address ${macOf(name)}`,
    "link set eth0 up",
    `addr add ${addressOf(name)}/24 dev eth0`,
  );
}
