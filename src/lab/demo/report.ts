/** What a node says of itself at the end of the demo: asked of the agent, or of the kernel. */
import type { Cluster } from "../cluster.ts";
import { DEVICE, type LabNode } from "../node.ts";
import type { PoplinNode } from "../poplin-node.ts";
import type { NodeReport, Place } from "./stage.ts";

export async function poplinReport(node: PoplinNode, place: Place): Promise<NodeReport> {
  const [status, stats] = [await node.client.status(), await node.client.stats()];
  const drops: Record<string, number> = {};
  for (const counted of [stats.drops.tx, stats.drops.rx]) {
    for (const [reason, n] of Object.entries(counted)) drops[reason] = (drops[reason] ?? 0) + n;
  }
  const { device, peers } = status;
  return {
    place,
    device: `${device.name}, ${device.mac}, MTU ${device.mtu}`,
    peers: peers.map(({ publicIp, vtepMac, subnets, state }) => ({
      publicIp,
      vtepMac,
      subnet: subnets.join(", "),
      state,
    })),
    routes: await routesOf(node),
    sent: { frames: stats.txFrames, bytes: stats.txBytes },
    received: { frames: stats.rxFrames, bytes: stats.rxBytes },
    drops,
    memory: status.memory.rss,
  };
}

interface LinkJson {
  readonly address: string;
  readonly mtu: number;
  readonly stats64: Record<"rx" | "tx", { bytes: number; packets: number; dropped: number; errors: number }>;
}

/** The kernel's peers are rows of its FDB; which subnet is behind them, its routes and neighbours say. */
export async function kernelReport(node: LabNode, place: Place, cluster: Cluster): Promise<NodeReport> {
  const json = async (...args: string[]) => JSON.parse((await node.host.exec("ip", ["-j", ...args])).stdout);
  const [link]: LinkJson[] = await json("-s", "link", "show", DEVICE);
  const fdb = await node.host.exec("bridge", ["-j", "fdb", "show", "dev", DEVICE]);
  const rows = JSON.parse(fdb.stdout) as { mac: string; dst: string }[];
  const { rx, tx } = link!.stats64;
  const drops: Record<string, number> = {};
  if (tx.dropped + tx.errors > 0) drops.sending = tx.dropped + tx.errors;
  if (rx.dropped + rx.errors > 0) drops.receiving = rx.dropped + rx.errors;
  return {
    place,
    device: `${DEVICE}, ${link!.address}, MTU ${link!.mtu}`,
    peers: cluster.peersOf(node).map((peer) => {
      const row = rows.find(({ mac }) => mac === peer.vtepMac);
      const { vtepMac, subnet } = peer;
      return { publicIp: row?.dst ?? "none", vtepMac, subnet, state: row ? "ok" : "there is no FDB row" };
    }),
    routes: await routesOf(node),
    sent: { frames: tx.packets, bytes: tx.bytes },
    received: { frames: rx.packets, bytes: rx.bytes },
    drops,
    memory: null,
  };
}

async function routesOf(node: LabNode): Promise<string[]> {
  const { stdout } = await node.host.exec("ip", ["route", "show", "dev", DEVICE]);
  return stdout
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
}
