/**
 * Where the study's nodes meet. In kind that is Kubernetes, which says in advance which node has which pods; here it is a
 * directory or etcd, in which the nodes have been before: it holds their leases, with subnet and MAC, when they start.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatAttributes, subnetKey, vxlanData } from "../../control/flannel/node-lease.ts";
import type { Lab } from "../lab.ts";
import type { Network } from "../network.ts";
import { VNI } from "../node.ts";
import type { NodePlan } from "../plan.ts";
import { EtcdHost } from "./etcd.ts";
import { exampleFile, LEASES, NODES } from "./plan.ts";

export type StoreKind = "file" | "etcd";

export interface StudyStore {
  /** What `poplin flanneld` is told about it. */
  readonly flags: readonly string[];
  /** The machine's directories that nodes share, as in `MachineOptions`. */
  readonly shared: Readonly<Record<string, string>>;
}

export async function makeStore(lab: Lab, network: Network, kind: StoreKind): Promise<StudyStore> {
  const conf = readFileSync(exampleFile("net-conf.json"), "utf8");
  return kind === "etcd" ? inEtcd(lab, network, conf) : inDirectory(lab, conf);
}

function inDirectory(lab: Lab, conf: string): StudyStore {
  const directory = lab.file("leases");
  mkdirSync(join(directory, "subnets"), { recursive: true });
  writeFileSync(join(directory, "config"), conf);
  for (const { key, value } of NODES.map(leaseOf)) writeFileSync(join(directory, "subnets", key), value);
  return { flags: ["--lease-dir", LEASES], shared: { [LEASES]: directory } };
}

/** flannel's, and the default of --etcd-prefix. */
const PREFIX = "/coreos.com/network";

async function inEtcd(lab: Lab, network: Network, conf: string): Promise<StudyStore> {
  const etcd = await EtcdHost.start(lab, network);
  await etcd.put(`${PREFIX}/config`, conf);
  for (const { key, value } of NODES.map(leaseOf)) await etcd.lend(`${PREFIX}/subnets/${key}`, value);
  return { flags: ["--etcd-endpoints", etcd.url], shared: {} };
}

/** Key and value of a node's lease, as flannel writes them. */
function leaseOf({ address, subnet, vtepMac }: NodePlan): { key: string; value: string } {
  const attributes = {
    ...{ publicIp: address, publicIpv6: null, backendType: "vxlan" },
    ...{ backendData: vxlanData(VNI, vtepMac), backendV6Data: null },
  };
  return { key: subnetKey({ ipv4: subnet, ipv6: null }), value: formatAttributes(attributes) };
}
