/** What the study shows in pod-1. */

import { pinged } from "./cases-node.ts";
import type { Case } from "./compare.ts";
import { FOREVER } from "./node-checks.ts";

const MISTYPED = { shows: ["ping: invalid argument: '8.8.8.8'"] };

export const POD_CASES: Readonly<Record<number, Case>> = {
  950: {
    shows: [
      "eth0@if: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UP group default",
      "link/ether MAC brd ff:ff:ff:ff:ff:ff link-netns",
      ...["inet 10.244.1.2/24 brd 10.244.1.255 scope global eth0", FOREVER],
      ...["inet6 LINK-LOCAL scope link", FOREVER],
    ],
  },
  959: {
    shows: [
      "default via 10.244.1.1 dev eth0",
      "10.244.0.0/16 via 10.244.1.1 dev eth0",
      "10.244.1.0/24 dev eth0 proto kernel scope link src 10.244.1.2",
    ],
  },
  964: {
    shows: [
      "Kernel IP routing table",
      "Destination Gateway Genmask Flags Metric Ref Use Iface",
      "0.0.0.0 10.244.1.1 0.0.0.0 UG 0 0 0 eth0",
      "10.244.0.0 10.244.1.1 255.255.0.0 UG 0 0 0 eth0",
      "10.244.1.0 0.0.0.0 255.255.255.0 U 0 0 0 eth0",
    ],
  },
  971: pinged("10.244.1.1", 64),
  979: { shows: ["ping: usage error: Destination address required"] },
  982: pinged("10.244.2.5", 62),
  990: MISTYPED,
  993: MISTYPED,
  1038: {
    first: (study) => study.pod("pod-1").exec("ping", ["-c", "1", "10.244.1.1"]),
    shows: ["10.244.1.1 dev eth0 lladdr MAC REACHABLE"],
  },
};
