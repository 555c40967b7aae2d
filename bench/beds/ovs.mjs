/**
 * Open vSwitch with its userspace datapath: layer 2, VXLAN, no DPDK. Each host has a database and a switch of its own,
 * with two bridges, as the manual says (Documentation/howto/userspace-tunneling.rst):
 *
 *   br-int (overlay address, VXLAN port)      br-phy (underlay address, eth0)
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { VNI } from "../../dist/lab/node.js";
import { ifIpv6, UNDERLAY } from "../../dist/lab/plan.js";
import { startProcess, until, version } from "./process.mjs";

const SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema";
const PORT = 4789;
const MTU = 1450;

export async function start(bed) {
  const agents = { a: [], b: [] };
  for (const one of bed.sides) agents[one.side] = await startSwitch(bed, one);
  return { agents, about: async () => ({ version: await version("ovs-vswitchd", ["--version"]) }) };
}

async function startSwitch(bed, { side, host, plan, peer }) {
  const folder = bed.lab.file(`${bed.name}-${side}`);
  mkdirSync(folder, { recursive: true });
  const [database, socket] = [join(folder, "conf.db"), join(folder, "db.sock")];
  execFileSync("ovsdb-tool", ["create", database, SCHEMA]);
  // Its control sockets go there; the log would go to /var/log.
  const env = { ...process.env, OVS_RUNDIR: folder, OVS_LOGDIR: folder, OVS_DBDIR: folder };
  const run = (command, args) => startProcess(bed, side, command, args, null, { env });
  await run("ovsdb-server", [database, `--remote=punix:${socket}`, `--unixctl=${join(folder, "db.ctl")}`]);
  await until("ovsdb-server's socket", () => existsSync(socket));
  const { pid } = await run("ovs-vswitchd", [`unix:${socket}`, `--unixctl=${join(folder, "switch.ctl")}`]);
  const bridge = (name, mac) => [
    ...["--", "add-br", name, "--", "set", "bridge", name, "datapath_type=netdev", "fail_mode=standalone"],
    ...(mac ? [`other-config:hwaddr=${mac}`] : []),
  ];
  const words = [
    ...["--timeout=10", `--db=unix:${socket}`, "--no-wait", "init"],
    ...[...bridge("br-phy"), "--", "add-port", "br-phy", "eth0"],
    ...[...bridge("br-int", plan.vtepMac), "--", "add-port", "br-int", "vx0"],
    ...["--", "set", "interface", "vx0", "type=vxlan", `options:remote_ip=${peer.address}`],
    ...[`options:key=${VNI}`, `options:dst_port=${PORT}`],
  ];
  await host.exec("ovs-vsctl", words, { env });
  const there = async (name) =>
    (await host.exec("ip", ["link", "show", name], { check: false })).status === 0;
  for (const name of ["br-phy", "br-int"]) await until(`the bridge ${name}`, () => there(name));
  host.ip(
    "link set br-phy up",
    `addr add ${plan.address}/${UNDERLAY.prefix} dev br-phy`,
    ...ifIpv6(`addr add ${plan.address6}/${UNDERLAY.prefix6} dev br-phy nodad`),
    `link set br-int mtu ${MTU} up`,
    `addr add ${plan.overlay}/32 dev br-int`,
    `neigh replace ${peer.overlay} lladdr ${peer.vtepMac} dev br-int nud permanent`,
    `route replace ${peer.subnet} via ${peer.overlay} dev br-int onlink`,
  );
  return [pid];
}
