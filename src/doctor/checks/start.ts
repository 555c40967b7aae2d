/** Whether an agent could start here. */

import type { Check, Fault } from "../check.ts";
import type { Attempt, Evidence, StartEvidence } from "../evidence.ts";

/** What package.json asks for. */
const NODE = [20, 19] as const;
/** Where UDP_SEGMENT and UDP_GRO are (4.18, 5.0), and what they need to be of use. */
const KERNEL = [5, 0] as const;

type Start = Omit<Check, "group" | "judge"> & { readonly judge: (start: StartEvidence) => readonly Fault[] };

function check({ judge, ...rest }: Start): Check {
  return { ...rest, group: "start", judge: ({ start }: Evidence) => (start === null ? null : judge(start)) };
}

/** What it holds is no fault of the host's. */
const RUNNING = "agent-running";

export const START: readonly Check[] = [
  check({
    code: RUNNING,
    severity: "error",
    about: "no agent runs here yet",
    why: "it has the port and the device, and another one would not start beside it",
    cure: "`poplin doctor` without `--pre` looks at it; `poplin agent --take-over` puts another one in its place",
    judge: ({ running }) =>
      running === null
        ? []
        : [
            {
              seen: `poplin runs here already, pid ${running.pid}`,
              proof: `it answers at ${running.socket}`,
              remedy: "`poplin doctor` looks at it; `--take-over` puts another one in its place",
            },
          ],
  }),
  check({
    code: "node-too-old",
    severity: "error",
    about: "Node is new enough",
    why: "poplin is tested with Node 20.19 and later, and uses what is not there before",
    cure: "install Node 20.19 or later",
    judge: ({ nodeVersion }) =>
      isAtLeast(nodeVersion, NODE)
        ? []
        : [
            {
              seen: `Node ${nodeVersion}`,
              proof: "this very process",
              remedy: "install Node 20.19 or later",
            },
          ],
  }),
  check({
    code: "kernel-old",
    severity: "warning",
    about: "the kernel is new enough for offloads",
    why: "without UDP_SEGMENT and UDP_GRO each datagram is a system call's work of its own",
    cure: "run Linux 5.0 or later; poplin is tested with 6.18",
    judge: ({ kernel }) =>
      isAtLeast(kernel, KERNEL)
        ? []
        : [{ seen: `Linux ${kernel}`, proof: "uname(2)", remedy: "run Linux 5.0 or later" }],
  }),
  check({
    code: "shim-missing",
    severity: "error",
    about: "the native shim loads",
    why: "system calls that Node does not have are in it: no TAP without it",
    cure: "build it: `npm run build:shim` (needs a C compiler, make and python3)",
    judge: ({ shim }) => tried(shim, "it was loaded", "npm run build:shim"),
  }),
  check({
    code: "tap-refused",
    severity: "error",
    about: "a TAP can be made",
    why: "the agent's device is one",
    cure: "run it as root or with CAP_NET_ADMIN; see that /dev/net/tun is there",
    unless: ["no-net-admin", "tun-missing", "shim-missing"],
    judge: ({ tap }) =>
      tried(tap, "one was made under a free name, and is gone again", "run it with CAP_NET_ADMIN"),
  }),
  check({
    code: "iproute2-missing",
    severity: "error",
    about: "iproute2's `ip` is there",
    why: "addresses, routes and neighbours are set with it",
    cure: "install the package iproute2",
    judge: ({ missing }) =>
      missing.includes("ip")
        ? [{ seen: "there is no `ip`", proof: "PATH, /usr/sbin, /sbin", remedy: "apt-get install iproute2" }]
        : [],
  }),
  check({
    code: "firewall-program-missing",
    severity: "warning",
    about: "iptables or nft is there",
    why: "a node of a flannel cluster masquerades and forwards by rules; `poplin agent` needs none",
    cure: "install the package iptables, or nftables with EnableNFTables in net-conf.json",
    judge: ({ missing }) =>
      missing.includes("iptables") && missing.includes("nft")
        ? [
            {
              seen: "there is neither `iptables` nor `nft`",
              proof: "PATH, /usr/sbin, /sbin",
              remedy: "apt-get install iptables",
            },
          ]
        : [],
  }),
  check({
    code: "no-uplink",
    severity: "error",
    about: "the interface to the other nodes is found",
    why: "its address is what peers send to, and its MTU decides the overlay's",
    cure: "give our address with `local`, the interface with `dev` (`--iface` of flanneld), or set a default route",
    unless: ["iproute2-missing"],
    judge: ({ uplink }) =>
      tried(uplink, "the kernel was asked, as at a start", "name it with `local`, `dev` or `--iface`"),
  }),
  check({
    code: "uplink-mtu",
    severity: "error",
    about: "the uplink's MTU leaves room for an overlay",
    why: "VXLAN takes 50 bytes of each packet, over IPv6 70",
    cure: "raise the uplink's MTU, or name another one",
    unless: ["no-uplink"],
    judge: ({ mtu }) =>
      tried(mtu, "calculated as at a start", "raise the uplink's MTU: `ip link set DEV mtu 1500`"),
  }),
  check({
    code: "port-taken",
    severity: "error",
    about: "the UDP port is free",
    why: "all nodes use one port, and one socket of a host has it; flanneld's kernel device is the usual holder",
    cure: "remove the device that has it (`ip link del NAME`), stop the process, or choose another `port` on all nodes",
    unless: [RUNNING],
    judge: ({ port: { bind, number } }) =>
      bind.code === "POPLIN_PORT_TAKEN"
        ? tried(bind, `a socket was bound to UDP port ${number}`, `ss -ulpn 'sport = ${number}'`)
        : [],
  }),
  check({
    code: "device-taken",
    severity: "error",
    about: "the device's name is free, or what has it may go",
    why: "a device of ours, and a kernel VXLAN device, are taken over; what is somebody else's is not touched",
    cure: "give another name with `device`, or delete what has it",
    unless: [RUNNING],
    judge: ({ device: { name, taken } }) =>
      taken === null
        ? []
        : [
            {
              seen: `${name} exists, and ${taken}`,
              proof: `\`ip -details link show ${name}\`, and who holds it in /proc`,
              remedy: `ip link del ${name} if nobody needs it, or another \`device\``,
            },
          ],
  }),
  check({
    code: "buffers-too-small",
    severity: "warning",
    about: "the socket gets the buffer that it asks for",
    why: "what does not fit while packets come in a burst is dropped (SOCKET_RCVBUFF)",
    cure: "run with CAP_NET_ADMIN, or raise net.core.rmem_max",
    unless: ["no-net-admin", "shim-missing"],
    judge: ({ buffers: { wanted, granted } }) =>
      granted >= wanted
        ? []
        : [
            {
              seen: `asked for ${wanted} bytes, got ${granted}`,
              proof: "a socket was opened as the agent does",
              remedy: `sysctl -w net.core.rmem_max=${wanted}`,
            },
          ],
  }),
  check({
    code: "offload-refused",
    severity: "warning",
    about: "the kernel can do every offload that is wanted",
    why: "each that is missing costs throughput; the agent works without it",
    cure: "a newer kernel; or switch it off, so that nobody wonders: `--offload NAME=off`",
    unless: ["no-net-admin", "tun-missing", "shim-missing"],
    judge: ({ offloads }) =>
      offloads.map(({ name, why }) => ({
        seen: `${name}: ${why}`,
        proof: "packets were sent through a TAP and between sockets, and compared",
        remedy: `a newer kernel, or \`--offload ${name}=off\``,
      })),
  }),
  check({
    code: "forwarding-off-yet",
    severity: "warning",
    about: "this host forwards",
    why: "pods' packets go from their bridge to the overlay's device; `poplin flanneld` switches it on, the agent does not",
    cure: "sysctl -w net.ipv4.ip_forward=1",
    judge: ({ forwarding }) =>
      forwarding === "0"
        ? [
            {
              seen: "net.ipv4.ip_forward = 0",
              proof: "/proc/sys/net/ipv4/ip_forward",
              remedy: "sysctl -w net.ipv4.ip_forward=1",
            },
          ]
        : [],
  }),
];

function tried({ code, message, remedy }: Attempt, proof: string, fallback: string): readonly Fault[] {
  return code === "" ? [] : [{ seen: message, proof, remedy: remedy || fallback }];
}

function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.split(/[.-]/).map(Number);
  return a > major || (a === major && b >= minor);
}
