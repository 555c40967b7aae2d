/** The socket, the interface under it, and whoever else wants the port. */
import type { Check, Fault } from "../check.ts";
import type { CarrierEvidence } from "../evidence.ts";

type OfCarrier = Omit<Check, "group" | "judge"> & {
  readonly judge: (one: CarrierEvidence) => readonly Fault[];
};

/** Of each underlay: with dual stack there are two. */
function check({ judge, ...rest }: OfCarrier): Check {
  return { ...rest, group: "underlay", judge: ({ node }) => node?.carriers.flatMap(judge) ?? null };
}

export const UNDERLAY: readonly Check[] = [
  check({
    code: "uplink-down",
    severity: "error",
    about: "the uplink is up",
    why: "nothing leaves by an interface that is down",
    cure: "`ip link set DEV up`; with no carrier, see to the cable or the other end",
    judge: ({ carrier: { uplink: name }, uplink }) => {
      if (name === null || uplink?.carrier === true) return [];
      const seen =
        uplink === null
          ? `there is no ${name} any more`
          : `${name} is ${uplink.up ? "up, without carrier" : "down"}`;
      return [{ seen, proof: `\`ip link show ${name}\``, remedy: `ip link set ${name} up` }];
    },
  }),
  check({
    code: "vxlan-device",
    severity: "warning",
    about: "no VXLAN device of the kernel's wants the same port",
    why: "it gets the port when the agent is down for a moment, and the agent does not start again; flanneld makes one",
    cure: "`ip link del NAME`, and stop what makes it",
    judge: ({ vxlan, carrier: { port } }) =>
      vxlan.map(({ name, up }) => ({
        seen: `${name} is a VXLAN device of the kernel's for UDP port ${port}${up ? "" : ", down"}`,
        proof: `\`ip -details link show ${name}\``,
        remedy: `ip link del ${name} if nothing needs it`,
      })),
  }),
  check({
    code: "port-shared",
    severity: "error",
    about: "nobody else is bound to the port",
    why: "the kernel gives each datagram to one of several sockets: a part of ours goes to the other",
    cure: "stop the other process, or have it use another port",
    judge: ({ sharers, carrier: { port } }) =>
      sharers.map(({ command, pid }) => ({
        seen: `${command} (pid ${pid}) is bound to UDP port ${port}, too`,
        proof: `\`ss -ulpn 'sport = ${port}'\` shows both`,
        remedy: `stop pid ${pid}, or have it use another port`,
      })),
  }),
  check({
    code: "buffers-small",
    severity: "warning",
    about: "the socket has what the agent asked for",
    why: "a receive buffer that is small drops what comes in a burst (SOCKET_RCVBUFF)",
    cure: "give the agent CAP_NET_ADMIN, or raise net.core.rmem_max and wmem_max, and restart it",
    judge: ({ carrier: { warnings, receiveBuffer } }) =>
      warnings
        .filter((text) => /buffer/i.test(text))
        .map((text) => ({
          seen: `${text}; the receive buffer has ${receiveBuffer} bytes`,
          proof: "the kernel's answer to the agent's setsockopt(SO_RCVBUF)",
          remedy: "sysctl -w net.core.rmem_max=8388608 net.core.wmem_max=8388608, and restart the agent",
        })),
  }),
  check({
    code: "offload-lost",
    severity: "warning",
    about: "every offload that was asked for is in use",
    why: "each that is not costs throughput; on an egress that cannot finish checksums UDP_SEGMENT is given up",
    cure: "`poplin status` names the reason; `ethtool -k DEV` shows tx-checksumming of the uplink",
    judge: ({ carrier: { offloads, uplink } }) =>
      Object.entries(offloads)
        .filter(([, { on, why }]) => !on && /refuse|arrive|could not be tried/.test(why ?? ""))
        .map(([name, { why }]) => ({
          seen: `${name}: ${why}`,
          proof: "the agent tried it with packets at its start, or met it while packets flowed",
          remedy: `ethtool -k ${uplink ?? "DEV"}, or switch it off: \`--offload ${name}=off\``,
        })),
  }),
];
