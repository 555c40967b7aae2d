/**
 * One end of the tunnel is the kernel's VXLAN, the other poplin's, and neither can tell: two namespaces, a cable, a ping each
 * way. Everything is gone at the end.
 *
 *   sudo node examples/kernel.mjs        (after `npm run setup`)
 */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const poplin = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "poplin-example-"));
const [k, p] = ["k", "p"].map((name) => `poplin-${process.pid}-${name}`);
const ip = (words) => execFileSync("ip", words.split(" "));
const inside = (namespace, words) =>
  execFileSync("ip", ["netns", "exec", namespace, ...words.split(" ")], { encoding: "utf8" });

let agent;
try {
  for (const namespace of [k, p]) ip(`netns add ${namespace}`);
  ip(`-n ${k} link add eth0 type veth peer name eth0 netns ${p}`);
  for (const [namespace, address] of [
    [k, "172.19.0.2"],
    [p, "172.19.0.3"],
  ]) {
    ip(`-n ${namespace} address add ${address}/16 dev eth0`);
    ip(`-n ${namespace} link set eth0 up`);
  }

  // The kernel's end, by hand what flannel does: no learning; the other's subnet behind its VTEP, whose MAC has a row in the FDB.
  ip(
    `-n ${k} link add vxlan1 address 0e:2a:00:00:00:01 mtu 1450 type vxlan id 1 dstport 8472 local 172.19.0.2 nolearning`,
  );
  ip(`-n ${k} address add 10.244.1.0/32 dev vxlan1`);
  ip(`-n ${k} link set vxlan1 up`);
  ip(`-n ${k} neigh add 10.244.2.0 lladdr 0e:2a:00:00:00:02 dev vxlan1`);
  inside(k, "bridge fdb add 0e:2a:00:00:00:02 dev vxlan1 dst 172.19.0.3");
  ip(`-n ${k} route add 10.244.2.0/24 via 10.244.2.0 dev vxlan1 onlink`);

  // poplin's end: the same of the other side in a file.
  const socket = join(folder, "agent.sock");
  writeFileSync(
    join(folder, "node.yaml"),
    `vni: 1
device: vxlan1
address: 10.244.2.0/32
vtepMac: 0e:2a:00:00:00:02
local: 172.19.0.3
socket: ${socket}
peers:
  - { publicIp: 172.19.0.2, vtepMac: "0e:2a:00:00:00:01", subnet: 10.244.1.0/24 }
`,
  );
  const words = [
    "netns",
    "exec",
    p,
    process.execPath,
    poplin,
    "agent",
    "--config",
    join(folder, "node.yaml"),
  ];
  agent = spawn("ip", words, { stdio: ["ignore", "ignore", "inherit"] });
  inside(p, `${process.execPath} ${poplin} wait --ready --socket ${socket}`);

  console.log(inside(k, "ping -n -c 2 -i 0.2 10.244.2.0"));
  console.log(inside(p, "ping -n -c 2 -i 0.2 10.244.1.0"));
} finally {
  agent?.kill();
  for (const namespace of [k, p]) execFileSync("ip", ["netns", "del", namespace], { stdio: "ignore" });
  rmSync(folder, { recursive: true });
}
