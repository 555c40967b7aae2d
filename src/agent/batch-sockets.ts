/**
 * The sockets of the `batch` underlay, as one thing that is opened, or taken over from an agent before this one, and
 * closed: one to receive for each queue of the TAP, all on one port, and those to send from, which the queues share.
 */
import type { OffloadReport } from "../dataplane/offloads.ts";
import type { Uplink } from "../host/uplink.ts";
import { isSystemCallFailure } from "../io/linux/errors.ts";
import { openSenders, openTwins } from "../io/linux/senders.ts";
import { loadShim, type UdpSocket, type UdpSocketOptions } from "../io/linux/shim.ts";
import { explainGroup, openUdpGroup } from "../io/linux/udp.ts";
import type { AgentConfig } from "./config/load.ts";
import { type Hairpin, openHairpin } from "./hairpin.ts";
import { inheritsDf } from "./policy.ts";

export interface BatchSockets {
  /** One for each queue. */
  readonly sockets: readonly UdpSocket[];
  /** To send from, by source port; empty: everything leaves by those that receive. */
  readonly senders: readonly UdpSocket[];
  /** The same for rows with DONT_FRAGMENT. */
  readonly dfSenders: readonly UdpSocket[];
  readonly hairpin: Hairpin | null;
}

/** @throws PortTakenError, AddressNotLocalError, SystemCallError, with none left open */
export function openBatchSockets(
  config: AgentConfig,
  options: UdpSocketOptions,
  { device }: Uplink,
  { hairpin: withoutHairpin }: OffloadReport,
  queues: number,
): BatchSockets {
  const { sourcePorts } = config;
  const groups = groupsOf(config);
  // A socket that is bound to our address does not hear what is sent to a group's.
  const receiving = groups.length === 0 ? options : { ...options, address: "" };
  const sockets = openUdpGroup(receiving, queues);
  const senders: UdpSocket[] = [];
  const dfSenders: UdpSocket[] = [];
  try {
    if (sourcePorts !== "fixed") senders.push(...openSenders(options, sourcePorts));
    if (inheritsDf(config)) dfSenders.push(...openTwins(options, senders));
    if (config.dev !== null || groups.length > 0) sendThrough([...sockets, ...senders, ...dfSenders], device);
    if (groups.length > 0) joinGroups(sockets, device, groups);
    const hairpin = withoutHairpin === null ? openHairpin(options) : null;
    return { sockets, senders, dfSenders, hairpin };
  } catch (error) {
    closeBatchSockets({ sockets, senders, dfSenders, hairpin: null });
    throw error;
  }
}

export function closeBatchSockets({ sockets, senders, dfSenders, hairpin }: BatchSockets): void {
  for (const { fd } of [...sockets, ...senders, ...dfSenders]) loadShim().close(fd);
  hairpin?.close();
}

function sendThrough(sockets: readonly UdpSocket[], device: string): void {
  for (const { fd } of sockets) loadShim().udpInterface(fd, device);
}

/** One of the sockets is a member: each would get a copy of every datagram to the group. */
function joinGroups(sockets: readonly UdpSocket[], device: string, groups: readonly string[]): void {
  for (const { fd } of sockets) loadShim().udpMembersOnly(fd);
  for (const group of groups) {
    try {
      loadShim().udpJoin(sockets[0]!.fd, device, group);
    } catch (error) {
      throw isSystemCallFailure(error) ? explainGroup(group, device, error) : error;
    }
  }
}

/** The multicast groups of all overlays, each once. */
export function groupsOf({ overlays }: AgentConfig): string[] {
  return [...new Set(overlays.flatMap(({ group }) => (group === null ? [] : [group])))];
}
