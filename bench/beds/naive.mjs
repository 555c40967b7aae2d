/** VXLAN as one writes it in an afternoon: `naive-node.mjs` on both hosts. */
import { fileURLToPath } from "node:url";
import { DEVICE, VNI, VXLAN_PORT } from "../../dist/lab/node.js";
import { startProcess, version } from "./process.mjs";

const NODE = fileURLToPath(new URL("naive-node.mjs", import.meta.url));
const MTU = 1450;

export async function start(bed) {
  bed.addresses();
  const agents = { a: [], b: [] };
  for (const { side, host, plan, peer } of bed.sides) {
    const order = { device: DEVICE, vni: VNI, local: plan.address, peer: peer.address, port: VXLAN_PORT };
    const node = await startProcess(bed, side, process.execPath, [NODE, JSON.stringify(order)], /ready/);
    agents[side].push(node.pid);
    host.ip(`link set ${DEVICE} address ${plan.vtepMac} mtu ${MTU} up`);
    host.ip(
      `addr add ${plan.overlay}/32 dev ${DEVICE}`,
      `neigh replace ${peer.overlay} lladdr ${peer.vtepMac} dev ${DEVICE} nud permanent`,
      `route replace ${peer.subnet} via ${peer.overlay} dev ${DEVICE} onlink`,
    );
  }
  return { agents, about: async () => ({ version: await version(process.execPath, ["--version"]) }) };
}
