/** Networks and leases for the tests of this folder. */

import { type NetConf, parseNetConf } from "../../../src/control/flannel/net-conf.ts";
import type { LeaseAttributes, NodeLease } from "../../../src/control/flannel/node-lease.ts";
import type { Ours } from "../../../src/control/flannel/peers.ts";

/** A network whose nodes pick their subnets; what is given is added to the least there has to be. */
export function netConf(more: Readonly<Record<string, unknown>> = {}): NetConf {
  const text = JSON.stringify({ Network: "10.244.0.0/16", Backend: { Type: "vxlan" }, ...more });
  const { conf, problems } = parseNetConf(text, "picked");
  if (conf === null) throw new Error(JSON.stringify(problems));
  return conf;
}

/** The MAC of node n. */
export function macOf(n: number): string {
  const digits = n.toString(16).padStart(8, "0");
  return `0e:2a:${digits.replace(/..(?!$)/g, "$&:")}`;
}

/** What node n publishes, n from 0 to 65,535. */
export function attributesOf(n: number, more: Partial<LeaseAttributes> = {}): LeaseAttributes {
  return {
    publicIp: `172.19.${n >> 8}.${n & 255}`,
    publicIpv6: `fd00:19::${(n + 1).toString(16)}`,
    backendType: "vxlan",
    backendData: { VNI: 1, VtepMAC: macOf(n) },
    backendV6Data: { VNI: 1, VtepMAC: macOf(n) },
    ...more,
  };
}

/** The lease of node n: a /24 of 10.0.0.0/8 and a /64 of fd00:244::/32. */
export function leaseOf(n: number, more: Partial<LeaseAttributes> = {}): NodeLease {
  const subnets = { ipv4: `10.${n >> 8}.${n & 255}.0/24`, ipv6: `fd00:244:${n.toString(16)}::/64` };
  return { key: `node-${String(n).padStart(5, "0")}`, subnets, attributes: attributesOf(n, more) };
}

/** This node, which is node 0, in a network that holds all of the above. */
export function ours(family: 4 | 6): Ours {
  const conf = netConf({ Network: "10.0.0.0/8", EnableIPv6: true, IPv6Network: "fd00:244::/32" });
  const { key, subnets, attributes } = leaseOf(0);
  return {
    family,
    conf: (family === 4 ? conf.ipv4 : conf.ipv6)!,
    vni: 1,
    port: 8472,
    key,
    subnet: (family === 4 ? subnets.ipv4 : subnets.ipv6)!,
    publicIp: (family === 4 ? attributes.publicIp : attributes.publicIpv6)!,
    vtepMac: macOf(0),
  };
}
