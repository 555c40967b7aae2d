/** A node that a packet is followed through: one of a lab of ours, or of one that was left up. */
import { readFileSync } from "node:fs";
import { ApiClient } from "../../agent/api/client.ts";
import { clusterFileOf, type WrittenNode } from "../cluster.ts";
import { LabError } from "../errors.ts";
import { Host } from "../host.ts";
import { DEVICE } from "../node.ts";
import { podName } from "../plan.ts";
import { namespaceOf } from "../registry.ts";

export interface Walker extends WrittenNode {
  readonly host: Host;
  /** Its first pod. */
  readonly pod: Host;
}

/**
 * The nodes of a lab, as its cluster has written them down.
 * @param id of the lab
 * @throws LabError LAB_UNKNOWN where it has none
 */
export function walkersOf(id: string): Walker[] {
  const hostOf = (name: string): Host => new Host(name, namespaceOf(id, name));
  return readNodes(id).map((node) => {
    const { name } = node.plan;
    return { ...node, host: hostOf(name), pod: hostOf(podName(name)) };
  });
}

function readNodes(id: string): WrittenNode[] {
  try {
    return JSON.parse(readFileSync(clusterFileOf(id), "utf8")) as WrittenNode[];
  } catch {
    const message = `lab ${id} has no nodes that a packet could be followed through`;
    throw new LabError("LAB_UNKNOWN", message, "`poplin demo --keep` leaves some up");
  }
}

/** The rows of the forwarding table for a MAC: poplin's own, or the kernel's. */
export async function rowsOf({ kind, host, socket }: Walker, mac: string): Promise<string[]> {
  if (kind === "poplin") {
    const rows = (await new ApiClient(socket).fdb()).filter((one) => one.mac === mac);
    return rows.map(({ dst, port, state }) => `FDB ${mac} dst ${dst} port ${port} ${state}`);
  }
  const { stdout } = await host.exec("bridge", ["fdb", "show", "dev", DEVICE], { check: false });
  return stdout
    .split("\n")
    .filter((line) => line.startsWith(mac))
    .map((line) => `FDB ${line.trim()}`);
}
