/** The demo in memory: the same dataplane, its ports queues in this process. Needs neither root nor a device. */

import { readCapture } from "../../io/capture-reader.ts";
import { MemoryNetwork } from "../../io/memory.ts";
import { captureUnderlay } from "../../io/middleware.ts";
import { PcapngWriter } from "../../io/pcapng.ts";
import { DEVICE, VXLAN_PORT } from "../node.ts";
import type { NodePlan } from "../plan.ts";
import { MemoryNode, MTU } from "./memory-node.ts";
import type { FirstPacket, Measured, NodeReport, Scene, Stage } from "./stage.ts";
import { placeOf, studyPlans } from "./study.ts";

const PINGS = 3;
const PING_TIMEOUT = 2_000;

export class MemoryStage implements Stage {
  readonly scene: Scene;
  readonly transfer = null;
  readonly #nodes: readonly MemoryNode[];
  /** What passed the first node's underlay, as a pcapng file in pieces. */
  readonly #captured: readonly Uint8Array[];

  /** @param because why the demo does not run on namespaces */
  static async start(because: string): Promise<MemoryStage> {
    // There is no kernel in memory: the third node runs poplin too.
    const plans = studyPlans(["node-a", "node-b", "node-c"]);
    const network = new MemoryNetwork();
    const captured: Uint8Array[] = [];
    const writer = new PcapngWriter((chunk) => captured.push(chunk));
    const nodes = plans.map((plan, i) => {
      const address = Uint8Array.from(plan.address.split("."), Number);
      const size = { datagrams: 64, datagramBytes: 2048 };
      const underlay = network.attach({ address, port: VXLAN_PORT, ...size });
      const watched = i === 0 ? captureUnderlay(underlay, { writer, address, port: VXLAN_PORT }) : underlay;
      return new MemoryNode(plan, watched);
    });
    for (const node of nodes) await node.join(others(plans, node.plan));
    return new MemoryStage(nodes, captured, because);
  }

  private constructor(nodes: readonly MemoryNode[], captured: readonly Uint8Array[], memoryBecause: string) {
    this.#nodes = nodes;
    this.#captured = captured;
    this.scene = { places: nodes.map(({ plan }) => placeOf(plan, "poplin")), lab: null, memoryBecause };
  }

  async firstPacket(): Promise<FirstPacket | { problem: string }> {
    await this.#node(0).ping(this.#node(1).plan, PING_TIMEOUT);
    const first = readCapture(Buffer.concat(this.#captured)).packets[0];
    if (first === undefined) return { problem: "nothing was sent" };
    const where = `${this.scene.places[0]!.node}, its underlay (outer headers as a kernel would write them)`;
    return { bytes: first.bytes, layer: "ip", where };
  }

  async ping(from: number, to: number): Promise<Measured> {
    let sum = 0;
    for (let i = 0; i < PINGS; i++) {
      const time = await this.#node(from).ping(this.#node(to).plan, PING_TIMEOUT);
      if (time === null) return { ok: false, problem: `no answer to ping ${i + 1} of ${PINGS}` };
      sum += time;
    }
    return { ok: true, value: sum / PINGS };
  }

  async report(index: number): Promise<NodeReport> {
    const { plan, engine } = this.#node(index);
    const stats = engine.snapshot();
    const rows = await engine.ask({ type: "rows" });
    const plans = this.#nodes.map((node) => node.plan);
    return {
      place: this.scene.places[index]!,
      device: `${DEVICE}, ${plan.vtepMac}, MTU ${MTU}`,
      peers: others(plans, plan).map(({ vtepMac, subnet }) => {
        const row = rows.find(({ mac }) => mac === vtepMac);
        return { publicIp: row?.dst ?? "none", vtepMac, subnet, state: row ? "ok" : "there is no FDB row" };
      }),
      routes: [],
      sent: { frames: stats.txFrames, bytes: stats.txBytes },
      received: { frames: stats.rxFrames, bytes: stats.rxBytes },
      drops: { ...stats.drops.tx, ...stats.drops.rx },
      memory: null,
    };
  }

  /** Ends one node; pings to it get no answer from then on. */
  async stopNode(index: number): Promise<void> {
    await this.#node(index).stop();
  }

  close(): void {
    for (const node of this.#nodes) void node.stop();
  }

  #node(index: number): MemoryNode {
    return this.#nodes[index]!;
  }
}

function others(plans: readonly NodePlan[], own: NodePlan): NodePlan[] {
  return plans.filter((plan) => plan !== own);
}
