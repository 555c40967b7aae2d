/** Which outer source ports there are between two nodes: seen on the wire, or said by the dataplane's own hash. */
import { portsBetween, sourcePort } from "../../dataplane/entropy.ts";
import { Cluster } from "../../lab/cluster.ts";
import { Sniffer } from "../../lab/walk/sniffer.ts";
import { ETHERNET, encodePacket, IPV4, Location, locate, TCP, UDP, u16 } from "../../wire/index.ts";
import { LAB_NAME, LabStage } from "../stages.ts";

const HOSTS = {
  "pod-a": "10.244.1.2, on node-a",
  "pod-b": "10.244.2.2, on node-b",
  "node-a": "poplin runs here, 172.19.0.2",
};
/** Where UDP's source port is in a packet over IPv4. */
const SOURCE_PORT_AT = 34;

/** Two nodes, and whoever listens between them. */
export class FlowsStage extends LabStage {
  readonly #sniffer: Sniffer;

  static async start(folder: string): Promise<FlowsStage> {
    const nodes = ["node-a", "node-b"].map((name) => ({ name, kind: "poplin" }) as const);
    const cluster = await Cluster.start({ name: LAB_NAME, nodes });
    try {
      // What node-a sends comes in at the switch's port that is called like it.
      const filter = "udp dst port 8472";
      const sniffer = await Sniffer.start(cluster.network.middle, "node-a", "in", filter);
      return new FlowsStage(folder, cluster, sniffer);
    } catch (error) {
      cluster.destroy();
      throw error;
    }
  }

  private constructor(folder: string, cluster: Cluster, sniffer: Sniffer) {
    super(folder, cluster.lab, HOSTS);
    this.#sniffer = sniffer;
  }

  /** Of each packet so far. */
  ports(): number[] {
    return this.#sniffer.packets().map(({ bytes }) => u16(bytes, SOURCE_PORT_AT));
  }
}

/** A line of a text: "tcp 10.244.1.2:40000 > 10.244.2.2:80". */
const FLOW = /^(tcp|udp) (\d+\.\d+\.\d+\.\d+):(\d+) > (\d+\.\d+\.\d+\.\d+):(\d+)$/;
const PORTS = portsBetween();

/** @returns the port for each line; a text where a line is no flow, and why */
export function portsFor(text: string): number[] | string {
  const ports: number[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    const words = line.replace(/#.*/, "").trim();
    if (words === "") continue;
    const found = FLOW.exec(words);
    if (found === null)
      return `line ${i + 1}, "${words}": a flow is as "tcp 10.244.1.2:40000 > 10.244.2.2:80".`;
    ports.push(portOf(found));
  }
  return ports;
}

function portOf([, protocol, source, sourceOf, destination, destinationOf]: RegExpExecArray): number {
  const ports = { sourcePort: Number(sourceOf) & 0xffff, destinationPort: Number(destinationOf) & 0xffff };
  const frame = encodePacket([
    [ETHERNET],
    [IPV4, { source: numberOf(source!), destination: numberOf(destination!) }],
    [protocol === "tcp" ? TCP : UDP, ports],
  ]);
  const where = new Location();
  locate(frame, 0, frame.length, where);
  return sourcePort(new DataView(frame.buffer), 0, where, PORTS);
}

function numberOf(address: string): number {
  return address.split(".").reduce((sum, byte) => sum * 256 + (Number(byte) & 0xff), 0);
}
