/**
 * The kernel's own VXLAN device, with the options and rows that flannel gives it: what everything is compared with.
 *
 *   spec.offloads   "on": as it comes · "underlay-off": the veth finishes checksums and cuts · "off": the device, too
 *   spec.rows       how many more peers stand in its tables
 */
import { offloadsOff } from "../../dist/lab/network.js";
import { DEVICE, VNI, VXLAN_PORT } from "../../dist/lab/node.js";
import { IPV6 } from "../../dist/lab/plan.js";
import { strangers } from "./rows.mjs";

export const MTU = 1450;

export async function start(bed, { offloads = "on", rows = 0 } = {}) {
  bed.addresses();
  for (const { host, plan, peer } of bed.sides) {
    const peers = [peer, ...strangers(rows)];
    host.ip(
      `link add ${DEVICE} address ${plan.vtepMac} mtu ${MTU} type vxlan id ${VNI} dev eth0 ` +
        `local ${plan.address} dstport ${VXLAN_PORT} nolearning`,
      `link set ${DEVICE} up`,
      `addr add ${plan.overlay}/32 dev ${DEVICE}`,
      ...peers.flatMap((one) => [
        `neigh replace ${one.overlay} lladdr ${one.vtepMac} dev ${DEVICE} nud permanent`,
        `route replace ${one.subnet} via ${one.overlay} dev ${DEVICE} onlink`,
      ]),
    );
    if (IPV6) {
      host.ip(
        `addr add ${plan.overlay6}/128 dev ${DEVICE} nodad`,
        `neigh replace ${peer.overlay6} lladdr ${peer.vtepMac} dev ${DEVICE} nud permanent`,
        `route replace ${peer.subnet6} via ${peer.overlay6} dev ${DEVICE} onlink`,
      );
    }
    const lines = peers.map(
      (one) => `fdb replace ${one.vtepMac} dev ${DEVICE} dst ${one.address} self permanent`,
    );
    await host.exec("bridge", ["-batch", "-"], { input: `${lines.join("\n")}\n` });
    if (offloads !== "on") offloadsOff(host, "eth0");
    if (offloads === "off") offloadsOff(host, DEVICE);
  }
  return { about: async () => ({ offloads }) };
}
