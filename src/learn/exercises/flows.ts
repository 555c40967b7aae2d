/** Which outer source ports there are between two nodes: seen on the wire, or said by the dataplane's own hash. */
import { createInterface } from "node:readline";
import { portsBetween, sourcePort } from "../../dataplane/entropy.ts";
import { Cluster } from "../../lab/cluster.ts";
import { LabError } from "../../lab/errors.ts";
import type { Host } from "../../lab/host.ts";
import { ETHERNET, encodePacket, IPV4, Location, locate, TCP, UDP } from "../../wire/index.ts";
import { LAB_NAME, LabStage } from "../stages.ts";

const HOSTS = {
  "pod-a": "10.244.1.2, on node-a",
  "pod-b": "10.244.2.2, on node-b",
  "node-a": "poplin runs here, 172.19.0.2",
};
/** What tcpdump says of a datagram: "IP 172.19.0.2.50300 > 172.19.0.3.8472: …". */
const SAID = /^IP [\d.]+\.(\d+) > /;

/** Two nodes, and whoever listens between them. */
export class FlowsStage extends LabStage {
  /** Outer source ports of node-a's, in the order in which they were first seen. */
  readonly ports = new Set<number>();

  static async start(folder: string): Promise<FlowsStage> {
    const nodes = ["node-a", "node-b"].map((name) => ({ name, kind: "poplin" }) as const);
    const cluster = await Cluster.start({ name: LAB_NAME, nodes });
    try {
      const stage = new FlowsStage(folder, cluster.lab, HOSTS);
      await stage.#listen(cluster.network.middle);
      return stage;
    } catch (error) {
      cluster.destroy();
      throw error;
    }
  }

  /** What node-a sends comes in at the switch's port that is called like it. It ends with the lab. */
  async #listen(middle: Host): Promise<void> {
    const words = ["-i", "node-a", "-Q", "in", "-l", "-nn", "-q", "-t", "-s", "96", "udp dst port 8472"];
    const tcpdump = middle.spawn("tcpdump", words, { stdio: ["ignore", "pipe", "pipe"] });
    createInterface({ input: tcpdump.stdout! }).on("line", (line) => {
      const port = SAID.exec(line)?.[1];
      if (port !== undefined) this.ports.add(Number(port));
    });
    let said = "";
    await new Promise<void>((resolve, reject) => {
      tcpdump.stderr!.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        if (said.includes("listening on")) resolve();
      });
      const failed = () =>
        reject(new LabError("LAB_COMMAND", `tcpdump: ${said.trim()}`, "apt install tcpdump"));
      tcpdump.once("close", failed).once("error", failed);
    });
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
