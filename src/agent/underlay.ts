/**
 * The underlay's socket, opened by the kind that the configuration names, and the engine that runs on it: `batch` on a
 * worker thread, `dgram` and `raw` on this thread's event loop.
 */
import { availableParallelism } from "node:os";
import type { LearnLogs } from "../dataplane/learn.ts";
import { newLearnLog } from "../dataplane/learn-log.ts";
import type { OffloadReport } from "../dataplane/offloads.ts";
import type { OverlayOptions, SharedOptions } from "../dataplane/options.ts";
import type { UnderlayCapabilities } from "../dataplane/ports.ts";
import type { Uplink } from "../host/uplink.ts";
import type { DgramUnderlay } from "../io/dgram.ts";
import { BatchUnderlay } from "../io/linux/batch.ts";
import type { UdpSocket, UdpSocketOptions } from "../io/linux/shim.ts";
import { native } from "../io/linux/sums.ts";
import { LinuxTap, type OpenTap } from "../io/linux/tap.ts";
import { checkPort } from "../io/linux/udp.ts";
import { defaultTtl } from "../io/raw/default-ttl.ts";
import type { RawUnderlay } from "../io/raw.ts";
import { type BatchSockets, closeBatchSockets, groupsOf, openBatchSockets } from "./batch-sockets.ts";
import type { AgentConfig, OverlayConfig } from "./config/load.ts";
import { type SettingName, settingOf } from "./config/schema.ts";
import type { Engine } from "./engine/engine.ts";
import { startInlineEngine } from "./engine/inline-engine.ts";
import { joinQueues } from "./engine/queues.ts";
import { startWorkerEngine, type WorkerPorts } from "./engine/worker-engine.ts";

/** The kernel doubles a buffer size for its own bookkeeping and reports the double (sock_setsockopt, socket(7)). */
const DOUBLED = 2;

/** An open underlay on which no packet moves yet. */
export interface OpenUnderlay {
  readonly capabilities: UnderlayCapabilities;
  /** Bytes of each buffer, in the measure in which the configuration asks for them. */
  readonly receiveBuffer: number;
  readonly sendBuffer: number;
  /** What the kernel granted only in part. */
  readonly warnings: readonly string[];
  /** What an agent that takes over gets; null where that cannot be. */
  readonly sockets: BatchSockets | null;
  /**
   * Runs the dataplane between TAPs and this underlay.
   * @param overlays at least one; commands and counters name them by their place here
   * @param taps of each overlay the queues of its TAP, `queueCount` of them
   * @param held no packet moves before the command `release`; only where there are `sockets`
   */
  start(
    options: SharedOptions,
    overlays: readonly OverlayOptions[],
    taps: readonly (readonly OpenTap[])[],
    held?: boolean,
  ): Promise<Engine>;
  /** Closes the sockets; the engine has been stopped before. */
  close(): void;
}

/** CPUs from which on one thread may not be enough. */
const FEW_CPUS = 4;
const MOST_QUEUES = 4;

/** How many queues the TAP needs: one for each thread that moves packets. */
export function queueCount({ underlay, queues }: Pick<AgentConfig, "underlay" | "queues">): number {
  if (underlay !== "batch") return 1;
  if (queues !== "auto") return queues;
  const cpus = availableParallelism();
  return cpus < FEW_CPUS ? 1 : Math.min(MOST_QUEUES, Math.floor(cpus / 2));
}

/**
 * Opens the sockets.
 * @param uplink the interface that carries the underlay, and our address there, which they are bound to
 * @param offloads null for those that may be used
 * @param given sockets that were opened for the same by an agent before this one
 * @throws PortTakenError, AddressNotLocalError, SystemCallError; for `raw` what it needs and does not find
 */
export async function openUnderlay(
  config: AgentConfig,
  uplink: Uplink,
  offloads: OffloadReport,
  given: BatchSockets | null = null,
): Promise<OpenUnderlay> {
  const options = socketOptions(config, uplink.address, offloads["udp-gro"] === null);
  switch (config.underlay) {
    case "batch":
      return openBatch(config, options, uplink, offloads, given);
    case "dgram": {
      const { DgramUnderlay } = await import("../io/dgram.ts");
      return inline(
        await DgramUnderlay.open({ ...options, group: groupsOf(config)[0] ?? null, device: uplink.device }),
      );
    }
    case "raw": {
      const { RawUnderlay } = await import("../io/raw.ts");
      const sourcePorts = config.sourcePorts === "fixed" ? null : config.sourcePorts;
      return inline(RawUnderlay.open({ ...options, sourcePorts }));
    }
  }
}

/**
 * Whether the underlay could be opened if our devices, VXLAN devices of the kernel's perhaps, were gone.
 * @throws as `openUnderlay`
 */
export async function checkUnderlay(
  config: Pick<AgentConfig, "port" | "family" | "underlay">,
  ours: readonly string[],
): Promise<void> {
  checkPort(config.port, config.family, ours);
  if (config.underlay === "raw") {
    const { RawSocket } = await import("../io/raw/socket.ts");
    new RawSocket(0).close();
  }
}

/** What the configuration asks for and this underlay cannot do, in words; a default that it cannot do is no news. */
export function unmetSettings(config: OverlayConfig, can: UnderlayCapabilities): string[] {
  const given = (name: SettingName): boolean => config.origins[name].source !== "default";
  const unmet: [boolean, SettingName][] = [
    [config.tos !== 0 && !can.sendTos, "tos"],
    [given("ttl") && !(config.ttl === "inherit" ? can.ttlPerPacket : can.ttl), "ttl"],
    [given("df") && !can.df, "df"],
    [given("udpChecksum") && config.udpChecksum !== can.checksum, "udpChecksum"],
    [given("sourcePorts") && config.sourcePorts !== "fixed" && config.underlay === "dgram", "sourcePorts"],
    [config.flowlabel !== 0 && !can.flowLabel, "flowlabel"],
    // Beyond our address and the group's interface it says by which way things leave, which takes IP_UNICAST_IF.
    [config.dev !== null && config.group === null && config.underlay !== "batch", "dev"],
    [config.udp6zerocsumrx && config.family === 6 && !can.acceptsNoCheck6, "udp6zerocsumrx"],
    [config.queues !== "auto" && config.queues > 1 && config.underlay !== "batch", "queues"],
    [typeof config.spin === "number" && config.spin > 0 && config.underlay !== "batch", "spin"],
  ];
  return unmet
    .filter(([is]) => is)
    .map(([, name]) => {
      const value = settingOf(name).format(config[name]);
      return `\`${name}: ${value}\` has no effect: the ${config.underlay} underlay cannot do it`;
    });
}

/** What the sockets are like. @param gro several datagrams may arrive in one receive */
export function socketOptions(config: AgentConfig, local: string, gro: boolean): UdpSocketOptions {
  return {
    family: config.family,
    address: local,
    port: config.port,
    receiveBuffer: config.receiveBuffer,
    sendBuffer: config.sendBuffer,
    gro,
    reusePort: false,
    noCheck: config.udpChecksum === "zero",
    acceptNoCheck: config.udp6zerocsumrx,
    dontFragment: config.df === "set",
    ttl: typeof config.ttl === "number" ? config.ttl : 0,
    // What has no TTL to inherit gets the default also where it goes to a group (vxlan_xmit_one).
    multicastTtl: config.ttl === "inherit" ? defaultTtl(config.family) : 0,
    flowLabel: config.family === 6 ? config.flowlabel : 0,
  };
}

/** A port of this thread's event loop. */
function inline(underlay: DgramUnderlay | RawUnderlay): OpenUnderlay {
  const { capabilities, receiveBuffer, sendBuffer, warnings } = underlay;
  return {
    capabilities,
    receiveBuffer: receiveBuffer / DOUBLED,
    sendBuffer: sendBuffer / DOUBLED,
    warnings,
    sockets: null,
    start: async (options, overlays, taps) => {
      const [first, ...others] = overlays.map((overlay, i) => {
        const { fd, name } = taps[i]![0]!;
        return { options: overlay, tap: new LinuxTap(fd, name) };
      });
      return startInlineEngine({ ...first!.options, ...options }, first!.tap, underlay, native(), others);
    },
    close: () => underlay.close(),
  };
}

function openBatch(
  config: AgentConfig,
  options: UdpSocketOptions,
  uplink: Uplink,
  offloads: OffloadReport,
  given: BatchSockets | null,
): OpenUnderlay {
  const { family, udpChecksum: checksum, spin } = config;
  const opened = given ?? openBatchSockets(config, options, uplink, offloads, queueCount(config));
  const { sockets, senders, dfSenders, hairpin } = opened;
  const [first] = sockets as [UdpSocket, ...UdpSocket[]];
  const underlay = { family, checksum, senders, dfSenders, gso: offloads["udp-gso"] === null };
  return {
    capabilities: new BatchUnderlay(first, underlay).capabilities,
    receiveBuffer: first.receiveBuffer / DOUBLED,
    sendBuffer: first.sendBuffer / DOUBLED,
    warnings: first.warnings,
    sockets: opened,
    start: (dataplane, overlays, taps, held = false) => {
      // A queue that is the only one tells nobody.
      const tellers = sockets.length > 1 ? sockets : [];
      const logs = overlays.map(() => tellers.map(() => newLearnLog(overlays.length)));
      return startQueues(
        dataplane,
        sockets.map((socket, i) => ({
          overlays: overlays.map((overlay, n) => ({
            options: overlay,
            tap: { fd: taps[n]![i]!.fd, name: taps[n]![i]!.name },
            logs: logsOf(logs[n]!, i),
          })),
          socket,
          underlay,
          hairpin: hairpin?.options ?? null,
          spin,
          held,
        })),
      );
    },
    close: () => closeBatchSockets(opened),
  };
}

/** One queue's logs of one overlay; null where it is the only queue. */
function logsOf(logs: readonly SharedArrayBuffer[], queue: number): LearnLogs | null {
  if (logs.length === 0) return null;
  return { own: logs[queue]!, others: logs.filter((_, other) => other !== queue) };
}

/** Starts a thread for each queue. @returns once all forward; when one does not start, none does */
async function startQueues(options: SharedOptions, queues: readonly WorkerPorts[]): Promise<Engine> {
  const started = await Promise.allSettled(queues.map((ports) => startWorkerEngine(options, ports)));
  const engines = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const failure = started.find((one) => one.status === "rejected");
  if (failure === undefined) return joinQueues(engines);
  await Promise.all(engines.map((engine) => engine.stop()));
  throw failure.reason;
}
