/** What the study shows on nodes. */
import { FILTER, NAT } from "../../helpers/flannel-chains.ts";
import type { Case } from "./compare.ts";
import {
  bridge,
  forwardingTable,
  ofFlanneld,
  ofInit,
  PLUGINS,
  plugins,
  subnetEnv,
  UP,
  vtep,
} from "./node-checks.ts";

const MODE = "mode DEFAULT group default";

/** `ip -br`, which the study types before there is a flannel. */
function addresses(address: string, overlay: string, ...bridge: string[]): Case {
  const eth0 = `eth0@if UP ${address}/16`;
  return {
    shows: ["lo UNKNOWN 127.0.0.1/8", eth0],
    differs: [[eth0, [eth0, `flannel.1 UNKNOWN ${overlay}/32`, ...bridge], "flannel runs already"]],
  };
}

const lines = (text: string): string[] => text.trim().split("\n");
const [chain, ...rules] = lines(NAT);
const [forward, ...accepts] = lines(FILTER);

const firewall: Case = {
  shows: [
    ">> IPTables Type : filter <<",
    ...["-P INPUT ACCEPT", "-P FORWARD ACCEPT", "-P OUTPUT ACCEPT"],
    ...[forward!, '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD', ...accepts],
    ">> IPTables Type : nat <<",
    ...["-P PREROUTING ACCEPT", "-P INPUT ACCEPT", "-P OUTPUT ACCEPT", "-P POSTROUTING ACCEPT"],
    ...[chain!, '-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG', ...rules],
    ">> IPTables Type : mangle <<",
    ...["-P PREROUTING ACCEPT", "-P INPUT ACCEPT", "-P FORWARD ACCEPT", "-P OUTPUT ACCEPT"],
    ...["-P POSTROUTING ACCEPT", "-N KUBE-IPTABLES-HINT", "-N KUBE-KUBELET-CANARY", "-N KUBE-PROXY-CANARY"],
    ">> IPTables Type : raw <<",
    ...["-P PREROUTING ACCEPT", "-P OUTPUT ACCEPT"],
  ],
  // Those of the other tables are left out above: some fifty chains and rules of kube-proxy's and docker's.
  differs: ["-N KUBE-IPTABLES-HINT", "-N KUBE-KUBELET-CANARY", "-N KUBE-PROXY-CANARY"].map(
    (name) => [name, [], "no Kubernetes"] as const,
  ),
};

/** Ports of cni0, as `brctl` lists them: the first behind the bridge, the others below. */
function brctl(count: number): string[] {
  const others = Array.from({ length: count - 1 }, () => "veth");
  return ["bridge name bridge id STP enabled interfaces", "cni0 8000.MAC no veth", ...others];
}

/** What `ping -c 1` says when one answer comes. @param ttl of the answer: 64 less the hops */
export function pinged(address: string, ttl: number): Case {
  return {
    shows: [
      `PING ${address} (${address}) 56(84) bytes of data.`,
      `64 bytes from ${address}: icmp_seq=1 ttl=${ttl} time`,
      `--- ${address} ping statistics ---`,
      "1 packets transmitted, 1 received, 0% packet loss, time 0ms",
      "rtt min/avg/max/mdev",
    ],
  };
}

const FLANNEL_LINK = `flannel.1: ${UP} state UNKNOWN ${MODE}`;

export const NODE_CASES: Readonly<Record<number, Case>> = {
  136: addresses("172.19.0.4", "10.244.0.0"),
  139: { ...addresses("172.19.0.2", "10.244.1.0"), early: true },
  142: addresses("172.19.0.3", "10.244.2.0", "cni0 UP 10.244.2.1/24"),
  422: plugins,
  431: plugins,
  440: plugins,
  449: { shows: PLUGINS },
  526: firewall,
  656: subnetEnv,
  708: ofInit,
  719: ofFlanneld,
  742: {
    early: true,
    shows: [FLANNEL_LINK, "link/ether 92:2e:91:2c:81:b3 brd ff:ff:ff:ff:ff:ff"],
    differs: [[FLANNEL_LINK, [`${FLANNEL_LINK} qlen 1000`], "a TAP"]],
  },
  746: { early: true, shows: ['Device "cni0" does not exist.'] },
  751: bridge,
  760: vtep,
  769: { early: true, shows: brctl(3) },
  776: {
    shows: [
      "default via 172.19.0.1 dev eth0",
      "10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink",
      "10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink",
      "10.244.2.0/24 dev cni0 proto kernel scope link src 10.244.2.1",
      "172.19.0.0/16 dev eth0 proto kernel scope link src 172.19.0.3",
    ],
  },
  784: {
    anyOrder: true,
    shows: ["10.244.1.0 lladdr 92:2e:91:2c:81:b3 PERMANENT", "10.244.0.0 lladdr f6:2d:77:84:77:6c PERMANENT"],
  },
  789: forwardingTable,
  794: pinged("10.244.0.0", 64),
  795: pinged("10.244.1.0", 64),
  796: pinged("10.244.2.0", 64),
  818: { shows: accepts },
  825: {
    shows: [
      '-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG',
      ...rules
        .filter((rule) => !rule.includes("! -s"))
        .map((rule) => rule.replace("10.244.0.0/24", "10.244.2.0/24")),
    ],
  },
  892: {
    anyOrder: true,
    shows: [
      `cni0: ${UP} state UP ${MODE} qlen 1000`,
      ...Array.from({ length: 4 }, () => `veth@if: ${UP} master cni0 state UP ${MODE}`),
      ...brctl(4),
    ],
  },
};
