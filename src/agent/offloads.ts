/**
 * Which offloads are in use, and why the others are not. The strongest reason counts:
 *
 *   switched off ▷ this underlay or another setting rules it out ▷ the probe at start ▷ refused while packets flowed
 */
import { addressBytes } from "../control/address.ts";
import {
  everyOffload,
  OFFLOAD_NAMES,
  type OffloadName,
  type OffloadReport,
  type Offloads,
  SWITCHED_OFF,
} from "../dataplane/offloads.ts";
import { probeTapOffloads, probeUdpOffloads } from "../io/linux/probe.ts";
import type { AgentConfig } from "./config/load.ts";
import { openHairpin } from "./hairpin.ts";

/** What the configuration says about offloads. */
export type OffloadSettings = Pick<AgentConfig, "offload" | "underlay" | "udpChecksum" | "family" | "port">;

/** Tries what goes through a TAP. Nothing of it is tried when all of it is switched off. */
export function tryTap({ offload }: OffloadSettings): Partial<OffloadReport> {
  const { "udp-gso": _gso, "udp-gro": _gro, hairpin: _hairpin, ...ofTap } = offload;
  return Object.values(ofTap).includes(true) ? probeTapOffloads() : {};
}

/** Tries what goes through a UDP socket on `local`, as far as it is wanted. */
export function tryUdp(config: OffloadSettings, local: string): Partial<OffloadReport> {
  const wanted = (["udp-gso", "udp-gro"] as const).some((name) => settled(config, name) === null);
  return wanted ? probeUdpOffloads(config.family, local, addressBytes(local)) : {};
}

/** Tries to send a super-frame whole, where that is wanted. */
export function tryHairpin(config: OffloadSettings, local: string): Partial<OffloadReport> {
  if (settled(config, "hairpin") !== null) return {};
  try {
    const noCheck = config.udpChecksum === "zero";
    openHairpin({ address: local, port: config.port, ttl: 0, dontFragment: false, noCheck }).close();
    return {};
  } catch (error) {
    return { hairpin: (error as Error).message };
  }
}

/** @param tried what the probes found */
export function decideOffloads(config: OffloadSettings, tried: Partial<OffloadReport>): OffloadReport {
  const decide = (name: OffloadName): string | null => settled(config, name) ?? tried[name] ?? null;
  const report = Object.fromEntries(OFFLOAD_NAMES.map((name) => [name, decide(name)])) as Record<
    OffloadName,
    string | null
  >;
  if (report["tap-csum"] !== null) {
    // The kernel grants them only together (set_offload, drivers/net/tun.c).
    report["tap-tso"] ??= "it needs tap-csum";
    report["tap-uso"] ??= "it needs tap-csum";
  }
  if (report["tap-tso"] !== null) report.hairpin ??= "it needs tap-tso";
  return report;
}

/** What the configuration alone says. @returns why it is not to be used, null where that is still open */
function settled(
  { offload, underlay, udpChecksum, family }: OffloadSettings,
  name: OffloadName,
): string | null {
  if (!offload[name]) return SWITCHED_OFF;
  if (name === "udp-gso" && underlay !== "batch")
    return `the ${underlay} underlay sends datagrams one by one`;
  if (name === "udp-gro" && underlay === "dgram") return "the dgram underlay receives datagrams one by one";
  if (name === "hairpin" && (underlay !== "batch" || family === 6))
    return "only the batch underlay over IPv4 can do it";
  if (name === "hairpin" && !offload["tap-tso"]) return "it needs tap-tso";
  // SO_NO_CHECK and UDP_SEGMENT exclude each other (udp_send_skb answers EINVAL).
  if (name === "udp-gso" && udpChecksum === "zero") return "impossible with `udpChecksum: zero`";
  return null;
}

/** @param fallen what the dataplane says it has given up since the start, with the reason */
export function reportAtThisMoment(start: OffloadReport, fallen: Partial<OffloadReport> = {}): OffloadReport {
  const entries = OFFLOAD_NAMES.map((name) => [name, start[name] ?? fallen[name] ?? null]);
  return Object.fromEntries(entries) as OffloadReport;
}

/** @returns which of them are on */
export function inUse(report: OffloadReport): Offloads {
  const on = OFFLOAD_NAMES.filter((name) => report[name] === null);
  return { ...everyOffload(false), ...Object.fromEntries(on.map((name) => [name, true])) };
}
