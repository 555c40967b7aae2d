/**
 * A packet at two real VTEPs: the kernel's and poplin's, each on a throw-away host of its own whose uplink's other end is
 * ours (`wire.ts`). What became of it is read from their counters, and from the kernel's tracepoint of drops.
 *
 *   frame ──▶ TAP wire0 ─ IP ─ UDP ─ vxlan1 (kernel)            rx_packets, kfree_skb
 *   frame ──▶ TAP wire0 ─ IP ─ UDP ─ poplin's socket ─ vxlan1   poplin stats, kfree_skb
 */
import type { ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { outputOf } from "../../host/output.ts";
import type { Receiver } from "../../teach/judge/judgement.ts";
import { hex } from "../../wire/bytes.ts";
import { AgentProcess } from "../agent-process.ts";
import { canTraceDrops } from "../drop-trace.ts";
import { LabError } from "../errors.ts";
import type { Host } from "../host.ts";
import { Lab } from "../lab.ts";
import { openLab } from "../open.ts";
import { traceFile } from "../registry.ts";
import type { Arrival } from "./kernel-vtep.ts";
import type { ReceiveOptions } from "./receive-run.ts";

const RECEIVE = fileURLToPath(new URL("../../../dist/lab/whatif/receive-run.js", import.meta.url));
/** Milliseconds that an agent's counters get to show a packet: they are looked at again and again. */
const PATIENCE = 2000;
const POLL = 10;
const PREFIX = { 4: 16, 6: 64 } as const;

/** Where a packet comes from, as far as a VTEP cares. */
export interface Sender {
  /** Its underlay address. */
  readonly address: string;
  /** Its VTEP's MAC. */
  readonly mac: string;
}

/** What became of a packet, and by which counters that is known. */
export interface Outcome {
  readonly in: boolean;
  /** Why not, in the kernel's words, the likeliest first; empty where nobody has said. */
  readonly reasons: readonly string[];
  readonly counters: string;
}

export class Experiment {
  readonly #lab: Lab;
  readonly #kernel: Receiving;
  readonly #poplin: Receiving;
  readonly #agent: AgentProcess;

  /**
   * Sets both hosts up and waits until they receive.
   * @param receiver what both are; `addresses` names at least one
   * @param name of the lab, as `poplin lab shell` calls it; null: it has an id only
   * @throws LabError without root, or where an agent does not start
   */
  static async start(receiver: Receiver, sender: Sender, name: string | null = null): Promise<Experiment> {
    const lab = Lab.create(name);
    try {
      if (name !== null) openLab(lab);
      const experiment = new Experiment(lab, receiver);
      await experiment.#ready(receiver, sender);
      return experiment;
    } catch (error) {
      lab.destroy();
      throw error;
    }
  }

  private constructor(lab: Lab, receiver: Receiver) {
    this.#lab = lab;
    const wire = {
      mac: receiver.underlayMac ?? "02:42:ac:13:00:03",
      addresses: receiver.addresses.map((address) => `${address}/${PREFIX[address.includes(":") ? 6 : 4]}`),
    };
    this.#kernel = new Receiving(lab.addHost("kernel"), { kind: "kernel", wire, receiver }, lab);
    this.#poplin = new Receiving(lab.addHost("poplin"), { kind: "poplin", wire, receiver }, lab);
    const files = { socket: lab.file("poplin.sock"), log: lab.file("poplin.log") };
    this.#agent = new AgentProcess(this.#poplin.host, files);
  }

  async #ready({ vni, mac, mtu, port, addresses, learning, gbp }: Receiver, sender: Sender): Promise<void> {
    await Promise.all([this.#kernel.ready(), this.#poplin.ready()]);
    const config = this.#lab.file("poplin.yaml");
    const peer = { publicIp: sender.address, vtepMac: sender.mac, subnet: "198.18.0.0/24" };
    const settings = {
      ...{ vni, device: "vxlan1", mtu, vtepMac: mac, local: addresses[0], port, learning },
      ...{ socket: this.#lab.file("poplin.sock"), peers: [peer], ...(gbp ? { gbp } : {}) },
    };
    writeFileSync(config, stringify(settings));
    this.#agent.spawn(["agent", "--config", config]);
    await this.#agent.ready();
  }

  /** Has a frame arrive at both. */
  async receive(frame: Uint8Array): Promise<{ kernel: Outcome; poplin: Outcome }> {
    const kernel = await this.#kernel.receive(frame);
    return { kernel: outcomeOf(kernel), poplin: await this.#atPoplin(frame) };
  }

  async #atPoplin(frame: Uint8Array): Promise<Outcome> {
    const before = await this.#agent.client.stats();
    let { reasons } = await this.#poplin.receive(frame);
    const deadline = performance.now() + (reasons.length > 0 ? PATIENCE / 10 : PATIENCE);
    do {
      const { rxFrames, drops } = await this.#agent.client.stats();
      if (rxFrames > before.rxFrames) return { in: true, reasons: [], counters: "rxFrames 1" };
      const grown = Object.entries(drops.rx).find(
        ([reason, n]) => n > (before.drops.rx[reason as never] ?? 0),
      );
      if (grown !== undefined) return { in: false, reasons: [grown[0]], counters: `drops.rx.${grown[0]} 1` };
      // A checksum is verified when the agent reads its socket.
      if (reasons.length === 0) ({ reasons } = await this.#poplin.more());
      await new Promise((resolve) => setTimeout(resolve, POLL));
    } while (performance.now() < deadline && !reasons.includes("UDP_CSUM"));
    return outcomeOf({ in: false, reasons });
  }

  /** Removes all of it. */
  destroy(): void {
    this.#lab.destroy();
  }
}

function outcomeOf({ in: isIn, reasons }: Arrival): Outcome {
  if (isIn) return { in: true, reasons: [], counters: "rx_packets 1" };
  const counters = reasons.length === 0 ? "nothing was counted" : `kfree_skb ${reasons.join(", ")}`;
  return { in: false, reasons, counters };
}

/** A host on which `receive-run.ts` runs. */
class Receiving {
  readonly host: Host;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #output: ReturnType<typeof outputOf>;

  constructor(host: Host, options: Omit<ReceiveOptions, "trace">, lab: Lab) {
    this.host = host;
    const trace = canTraceDrops() ? host.namespace : null;
    if (trace !== null) writeFileSync(lab.file(traceFile(trace)), "");
    const input: ReceiveOptions = { ...options, trace };
    this.#child = host.spawn(process.execPath, [RECEIVE, JSON.stringify(input)], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child.stdin!.on("error", () => {});
    this.#output = outputOf(this.#child);
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  async ready(): Promise<void> {
    await this.#line();
  }

  async receive(frame: Uint8Array): Promise<Arrival> {
    this.#child.stdin!.write(`${hex(frame)}\n`);
    return JSON.parse(await this.#line()) as Arrival;
  }

  /** What has become of the last frame since. */
  async more(): Promise<Arrival> {
    this.#child.stdin!.write("\n");
    return JSON.parse(await this.#line()) as Arrival;
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new LabError("LAB_COMMAND", `${this.host.name}: ${this.#output.stderr}`);
    return value as string;
  }
}
