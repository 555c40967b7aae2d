/**
 * Tagged frames through the tunnel: on each node a VLAN device, and a bridge that takes its frames to the overlay
 * device.
 *
 *   tagged0 10.100.0.1 ── tagger ── trunk0 ── br-vlan ── flannel.1 ── VXLAN ── … ── tagged0 10.100.0.2
 *
 * No broadcast passes the tunnel, so each node has a row for the other's MAC in its forwarding table, and one for its
 * address among its neighbours. While the bridge has the overlay device the pods are cut off: it is for the last test.
 */
import { fileURLToPath } from "node:url";
import { DEVICE, type LabNode } from "../../../src/lab/node.ts";
import { PoplinNode } from "../../../src/lab/poplin-node.ts";
import type { Family } from "../pods.ts";
import type { Pair } from "./pair.ts";
import { ready } from "./traffic.ts";

const TAGGER = fileURLToPath(new URL("./tagger.mjs", import.meta.url));
const TAG = 100;
const INNER = "tagged0";
const TRUNK = "trunk0";
/** Bytes of the tag. */
export const TAG_LENGTH = 4;

/** Address of node number `index` behind the tag. */
export function taggedAddress(index: number, family: Family): string {
  return family === 4 ? `10.${TAG}.0.${index + 1}` : `fd00:${TAG}::${index + 1}`;
}

function macOf(index: number): string {
  return `02:00:00:00:01:0${index}`;
}

/** Builds it on both nodes. */
export async function addVlan(pair: Pair): Promise<void> {
  const nodes = [pair.a, pair.b];
  await Promise.all(
    nodes.map(async (node, i) => {
      const { host } = node;
      const options = JSON.stringify({ inner: INNER, trunk: TRUNK, tag: TAG });
      const stdio = ["pipe", "pipe", "inherit"] as ["pipe", "pipe", "inherit"];
      await ready(host.spawn(process.execPath, [TAGGER, options], { stdio }), host);
      host.ip(
        "link add br-vlan type bridge",
        ...[TRUNK, DEVICE].map((port) => `link set ${port} master br-vlan`),
        `link set ${INNER} address ${macOf(i)}`,
        ...[INNER, TRUNK, "br-vlan"].map((device) => `link set ${device} up`),
        `addr add ${taggedAddress(i, 4)}/24 dev ${INNER}`,
        `addr add ${taggedAddress(i, 6)}/64 dev ${INNER} nodad`,
        ...([4, 6] as const).map(
          (family) =>
            `neigh add ${taggedAddress(1 - i, family)} lladdr ${macOf(1 - i)} dev ${INNER} nud permanent`,
        ),
      );
      await addRow(node, macOf(1 - i), node.vtepAddress(pair.network.seen(1 - i)));
    }),
  );
}

async function addRow(node: LabNode, mac: string, to: string): Promise<void> {
  if (node instanceof PoplinNode) await node.poplin(["fdb", "add", mac, "dst", to]);
  else await node.host.exec("bridge", ["fdb", "add", mac, "dev", DEVICE, "dst", to, "self", "permanent"]);
}

/** Frames that found the queue of a tagger full, ever: it is a program between two TAPs, and slower than the kernel. */
export async function taggerDrops(pair: Pair): Promise<number> {
  let drops = 0;
  for (const { host } of [pair.a, pair.b]) {
    for (const device of [INNER, TRUNK]) {
      const { stdout } = await host.exec("ip", ["-j", "-s", "link", "show", "dev", device]);
      drops += JSON.parse(stdout)[0].stats64.tx.dropped;
    }
  }
  return drops;
}

/** Sets the MTU of the tagged packets. */
export function setVlanMtu(pair: Pair, mtu: number): void {
  for (const { host } of [pair.a, pair.b]) host.ip(`link set ${INNER} mtu ${mtu}`);
}
