/**
 * The other way round: the commands of iproute2 that a configuration stands for, and what is not as it would be with
 * them.
 */
import { desiredRows } from "../../control/desired.ts";
import { ALL_ZEROS } from "../flood.ts";
import type { AgentConfig, OverlayConfig } from "./load.ts";

/** What a configuration means in the kernel's words. */
export interface Explanation {
  /** Commands, each in phrases: an option and its value. */
  readonly commands: readonly (readonly string[])[];
  /** What differs: the setting as it is, and what the kernel does instead. */
  readonly differences: readonly { readonly setting: string; readonly text: string }[];
}

export function explainConfig(config: AgentConfig): Explanation {
  const differences = config.overlays.flatMap(differencesOf);
  const once = new Map(differences.map((one) => [`${one.setting} ${one.text}`, one]));
  return { commands: config.overlays.flatMap(commandsOf), differences: [...once.values()] };
}

function commandsOf(config: OverlayConfig): string[][] {
  const { device, group, remote, peers, port, address } = config;
  const others = group === null ? remote.slice(1) : remote;
  const row = (op: string, mac: string, dst: string, at: number): string[] => [
    `bridge fdb ${op} ${mac} dev ${device}`,
    `dst ${dst}`,
    ...phrase("port", at === port ? null : at),
  ];
  return [
    linkCommand(config),
    [`ip link set ${device} up`],
    ...address.map((cidr) => [`ip addr add ${cidr} dev ${device}`]),
    ...others.map((dst) => row("append", ALL_ZEROS, dst, port)),
    ...peers.map(({ vtepMac, publicIp, port: at }) => row("add", vtepMac, publicIp, at)),
    ...config.neighbours.map((neighbour) => [`ip neigh add ${neighbour} dev ${device}`]),
    ...desiredRows(peers, []).leases.flatMap(({ neighbours, routes }) => [
      ...neighbours.map(({ address: to, mac }) => [`ip neigh add ${to} lladdr ${mac} dev ${device}`]),
      ...routes.map(({ subnet, via }) => [`ip route add ${subnet} via ${via} dev ${device} onlink`]),
    ]),
  ];
}

/** An option with its value; nothing for one that is left to the kernel. */
function phrase(option: string, value: string | number | null | undefined): string[] {
  return value === null || value === undefined ? [] : [`${option} ${value}`];
}

function linkCommand(config: OverlayConfig): string[] {
  const { device, vtepMac, mtu, vni, dev, group, remote, local, port, sourcePorts } = config;
  return [
    `ip link add ${device}`,
    ...phrase("address", vtepMac),
    ...phrase("mtu", mtu),
    "type vxlan",
    `id ${vni}`,
    ...phrase("dev", dev),
    ...phrase("group", group),
    ...phrase("remote", group === null ? remote[0] : null),
    ...phrase("local", local),
    `dstport ${port}`,
    ...phrase("srcport", sourcePorts === "fixed" ? null : `${sourcePorts.first} ${sourcePorts.last}`),
    ...headerPhrases(config),
    ...learningPhrases(config),
    ...(["proxy", "l2miss", "l3miss"] as const).filter((name) => config[name]),
  ];
}

function headerPhrases({
  ttl,
  tos,
  df,
  flowlabel,
  udpChecksum,
  udp6zerocsumrx,
  gbp,
  family,
}: OverlayConfig): string[] {
  const zero = family === 4 ? "noudpcsum" : "udp6zerocsumtx";
  return [
    ...phrase("ttl", ttl === "auto" ? null : ttl),
    ...phrase("tos", tos === 0 ? null : tos === "inherit" ? tos : `0x${tos.toString(16)}`),
    ...phrase("df", df === "unset" || family === 6 ? null : df),
    ...phrase("flowlabel", flowlabel === 0 ? null : `0x${flowlabel.toString(16)}`),
    ...(udpChecksum === "computed" ? [] : [zero]),
    ...(udp6zerocsumrx && family === 6 ? ["udp6zerocsumrx"] : []),
    ...(gbp === "off" ? [] : ["gbp"]),
  ];
}

function learningPhrases({ learning, ageing, maxaddress }: OverlayConfig): string[] {
  if (!learning) return ["nolearning"];
  return ["learning", `ageing ${ageing}`, ...phrase("maxaddress", maxaddress === 0 ? null : maxaddress)];
}

/** Setting by setting: null where it is as in the kernel. */
const DIFFERENCES: readonly ((config: OverlayConfig) => { setting: string; text: string } | null)[] = [
  ({ mtu, dev }) =>
    mtu === null && dev === null
      ? {
          setting: "mtu",
          text: "the uplink's less 50, or less 70 over IPv6; without `dev` the kernel takes 1500",
        }
      : null,
  ({ group, dev }) =>
    group !== null && dev === null
      ? { setting: "dev", text: "the interface that has our address; the kernel wants one named for a group" }
      : null,
  ({ senderCheck }) =>
    senderCheck === "off"
      ? null
      : { setting: `senderCheck: ${senderCheck}`, text: "the kernel takes datagrams from anybody" },
  ({ reservedBits }) =>
    reservedBits === "linux"
      ? null
      : {
          setting: "reservedBits: rfc",
          text: "the kernel drops packets with reserved bits set (before 6.14 always)",
        },
  ({ sourcePorts, underlay }) =>
    sourcePorts === "fixed"
      ? { setting: "sourcePorts: fixed", text: "the kernel always spreads flows over source ports" }
      : underlay === "batch"
        ? {
            setting: "sourcePorts",
            text: "16 ports of the range, chosen by the flow; the kernel uses all of them",
          }
        : null,
  ({ floodRate }) =>
    floodRate === 0
      ? null
      : { setting: `floodRate: ${floodRate}`, text: "the kernel floods without a limit" },
  ({ maxaddress, learning }) =>
    learning && maxaddress > 0
      ? {
          setting: `maxaddress: ${maxaddress}`,
          text: "bounds what is learned; the kernel counts static rows, too",
        }
      : null,
  ({ vlan }) =>
    vlan === "pass"
      ? null
      : { setting: "vlan: rfc", text: "the kernel passes VLAN tags on, in both directions" },
  ({ gbp }) =>
    gbp === "off"
      ? null
      : { setting: "gbp", text: "the kernel takes the group of each packet from its mark, and gives it one" },
  ({ proxy, proxyUnknown }) =>
    proxy && proxyUnknown === "forward"
      ? { setting: "proxyUnknown: forward", text: "the kernel drops what it cannot answer" }
      : null,
  ({ pmtu }) =>
    pmtu === "icmp"
      ? {
          setting: "pmtu: icmp",
          text: "who sends what is too long for a path is told; so does the kernel, once ICMP has told it, with df set",
        }
      : null,
  ({ underlay }) =>
    underlay === "dgram"
      ? { setting: "underlay: dgram", text: "no outer TOS, source port or DF bit of our choice" }
      : null,
];

function differencesOf(config: OverlayConfig): Explanation["differences"] {
  const device = {
    setting: `device: ${config.device}`,
    text: "a TAP: it forwards as long as poplin runs, and `poplin fdb show` lists its rows, not `bridge fdb show`",
  };
  return [device, ...DIFFERENCES.map((of) => of(config)).filter((one) => one !== null)];
}
