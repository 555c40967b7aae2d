/** The underlay's settings: where our datagrams come from, and by which means they move. */
import { OFFLOAD_NAMES, usualOffloads } from "../../../dataplane/offloads.ts";
import { interfaceName, underlayAddress } from "../addresses.ts";
import { formatOffloads, offloadSwitch, switchOffloads } from "../offload.ts";
import type { Rows, Settings } from "../settings.ts";
import { byteSize, oneOf, orAuto, portRange, wholeNumber, wordOr } from "../values.ts";

const BUFFER = byteSize(4096, 1023 * 2 ** 20);

export const UNDERLAY_ROWS: Rows<"local" | "dev" | "port" | "underlay"> = {
  local: {
    read: orAuto(underlayAddress),
    fallback: null,
    defaultText: "the address from which the kernel would send to the first peer",
    example: "192.168.0.1",
    placeholder: "ADDRESS",
    description:
      "Our address in the underlay. Its family is the underlay's family, its interface the uplink that decides the MTU.",
    reload: "restart",
  },
  dev: {
    read: orAuto(interfaceName),
    fallback: null,
    defaultText: "the interface that has our address, or leads to the first peer",
    example: "eth0",
    placeholder: "NAME",
    description:
      "Interface that carries the underlay: what is sent leaves by it, a multicast group is joined on it, and its first address is ours where `local` names none.",
    reload: "restart",
  },
  port: {
    read: wholeNumber(1, 65535),
    fallback: 8472,
    example: "8472",
    placeholder: "NUMBER",
    description: "UDP port of VXLAN, here and, unless they say otherwise, at the peers. IANA's is 4789.",
    reload: "restart",
  },
  underlay: {
    read: oneOf(["batch", "dgram", "raw"]),
    fallback: "batch",
    example: "batch",
    placeholder: "KIND",
    description:
      "How datagrams move: `batch` (sendmmsg and recvmmsg), `dgram` (node:dgram, slower, no TOS) or `raw` (IPv4 headers of our own, through the raw-socket package).",
    reload: "restart",
  },
};

/** How much moves at once: ports, buffers, offloads, threads. */
export const TRAFFIC_ROWS: Rows<
  "sourcePorts" | "receiveBuffer" | "sendBuffer" | "offload" | "queues" | "spin"
> = {
  sourcePorts: {
    read: wordOr("fixed", portRange(1024, 65535)),
    format: formatPorts,
    fallback: { first: 49152, last: 65535 },
    example: "49152-65535",
    placeholder: "FIRST-LAST",
    description:
      "UDP ports to send from, by the inner flow, so that routers and network cards spread flows over paths and queues; or `fixed`: the VXLAN port alone. `batch` takes 16 of them, `raw` all, `dgram` sends from the VXLAN port whatever this says.",
    reload: "restart",
  },
  receiveBuffer: {
    read: BUFFER,
    fallback: 8 * 2 ** 20,
    defaultText: "8MiB",
    example: "8MiB",
    placeholder: "SIZE",
    description: "Receive buffer of the UDP socket: how much a burst may hold before the kernel drops.",
    reload: "restart",
  },
  sendBuffer: {
    read: BUFFER,
    fallback: 8 * 2 ** 20,
    defaultText: "8MiB",
    example: "8MiB",
    placeholder: "SIZE",
    description: "Send buffer of the UDP socket.",
    reload: "restart",
  },
  offload: {
    shape: "words",
    read: offloadSwitch,
    gather: switchOffloads,
    format: formatOffloads,
    fallback: usualOffloads(),
    example: "tap-tso=off",
    placeholder: "NAME=off",
    description: `Switches for work that is done for many packets at once, each \`on\` or \`off\`: ${OFFLOAD_NAMES.join(", ")}; \`all=off\` stands for all of them, and what comes later refines it. All but hairpin are on unless switched off. Each is tried at start with a packet of its own and left out where the kernel cannot do it; \`poplin status\` says why.`,
    reload: "restart",
  },
  queues: {
    read: wordOr("auto", wholeNumber(1, 16)),
    fallback: "auto",
    defaultText: "auto: 1, from 4 CPUs on half as many as there are, at most 4",
    example: "auto",
    placeholder: "NUMBER",
    description:
      "Threads that move packets, each with a queue of the TAP and a socket of its own; a flow stays with one. `batch` only.",
    reload: "restart",
  },
  spin: {
    read: wordOr("auto", wordOr("off", wholeNumber(0, 1000))),
    fallback: "auto",
    example: "auto",
    placeholder: "MICROSECONDS",
    description:
      "How long a thread that has no packet looks for the next one before it sleeps: a sleep costs the next packet some 30 µs to wake from. `auto`: only where packets come in quick succession and nobody else wants the CPU. `off`: it sleeps at once. `batch` only.",
    reload: "restart",
  },
};

function formatPorts(ports: Settings["sourcePorts"]): string {
  return typeof ports === "string" ? ports : `${ports.first}-${ports.last}`;
}
