/**
 * The underlay's socket, opened by the kind that the configuration names, and the engine that runs on it: `batch` on a
 * worker thread, `dgram` and `raw` on this thread's event loop.
 */
import type { DataplaneOptions } from "../dataplane/options.ts";
import type { UnderlayCapabilities } from "../dataplane/ports.ts";
import type { DgramUnderlay } from "../io/dgram.ts";
import { BatchUnderlay } from "../io/linux/batch.ts";
import { openSenders } from "../io/linux/senders.ts";
import { loadShim, type UdpSocket, type UdpSocketOptions } from "../io/linux/shim.ts";
import { nativeSums } from "../io/linux/sums.ts";
import { LinuxTap, type OpenTap } from "../io/linux/tap.ts";
import { checkPort, openUdp } from "../io/linux/udp.ts";
import type { RawUnderlay } from "../io/raw.ts";
import type { AgentConfig } from "./config/load.ts";
import { type SettingName, settingOf } from "./config/schema.ts";
import type { Engine } from "./engine/engine.ts";
import { startInlineEngine } from "./engine/inline-engine.ts";
import { startWorkerEngine } from "./engine/worker-engine.ts";

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
  /** Runs the dataplane between `tap` and this underlay. */
  start(options: DataplaneOptions, tap: OpenTap): Promise<Engine>;
  /** Closes the socket; the engine has been stopped before. */
  close(): void;
}

/**
 * Opens the socket.
 * @param local our address in the underlay, which it is bound to
 * @throws PortTakenError, AddressNotLocalError, SystemCallError; for `raw` what it needs and does not find
 */
export async function openUnderlay(config: AgentConfig, local: string): Promise<OpenUnderlay> {
  switch (config.underlay) {
    case "batch":
      return openBatch(config, local);
    case "dgram": {
      const { DgramUnderlay } = await import("../io/dgram.ts");
      return inline(await DgramUnderlay.open(socketOptions(config, local)));
    }
    case "raw": {
      const { RawUnderlay } = await import("../io/raw.ts");
      const sourcePorts = config.sourcePorts === "fixed" ? null : config.sourcePorts;
      return inline(await RawUnderlay.open({ ...socketOptions(config, local), sourcePorts }));
    }
  }
}

/**
 * Whether the underlay could be opened if `config.device`, a VXLAN device of the kernel's perhaps, were gone.
 * @throws as `openUnderlay`
 */
export async function checkUnderlay(config: AgentConfig): Promise<void> {
  checkPort(config.port, config.device);
  if (config.underlay === "raw") {
    const { RawSocket } = await import("../io/raw/socket.ts");
    new RawSocket(0).close();
  }
}

/** What the configuration asks for and this underlay cannot do, in words; a default that it cannot do is no news. */
export function unmetSettings(config: AgentConfig, can: UnderlayCapabilities): string[] {
  const given = (name: SettingName): boolean => config.origins[name].source !== "default";
  const unmet: [boolean, SettingName][] = [
    [config.tos !== 0 && !can.sendTos, "tos"],
    [given("ttl") && !can.ttl, "ttl"],
    [given("df") && !can.df, "df"],
    [given("udpChecksum") && config.udpChecksum !== can.checksum, "udpChecksum"],
    [given("sourcePorts") && config.sourcePorts !== "fixed" && config.underlay === "dgram", "sourcePorts"],
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

function socketOptions(config: AgentConfig, local: string): UdpSocketOptions {
  return {
    family: config.family,
    address: local,
    port: config.port,
    receiveBuffer: config.receiveBuffer,
    sendBuffer: config.sendBuffer,
    gro: config.offload["udp-gro"],
    reusePort: false,
    noCheck: config.udpChecksum === "zero",
    dontFragment: config.df === "set",
    ttl: config.ttl === "auto" ? 0 : config.ttl,
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
    start: async (options, tap) =>
      startInlineEngine(options, new LinuxTap(tap.fd, tap.name), underlay, nativeSums()),
    close: () => underlay.close(),
  };
}

function openBatch(config: AgentConfig, local: string): OpenUnderlay {
  const { family, udpChecksum: checksum } = config;
  const wanted = socketOptions(config, local);
  const socket: UdpSocket = openUdp(wanted);
  const senders = openPool(config, wanted, socket);
  const options = { family, checksum, senders, gso: config.offload["udp-gso"] && checksum === "computed" };
  return {
    capabilities: new BatchUnderlay(socket, options).capabilities,
    receiveBuffer: socket.receiveBuffer / DOUBLED,
    sendBuffer: socket.sendBuffer / DOUBLED,
    warnings: socket.warnings,
    start: (dataplane, tap) => startWorkerEngine(dataplane, { tap, socket, underlay: options }),
    close: () => {
      for (const { fd } of [socket, ...senders]) loadShim().close(fd);
    },
  };
}

/** The sockets to send from; none where everything leaves by the one that receives. */
function openPool(config: AgentConfig, wanted: UdpSocketOptions, socket: UdpSocket): UdpSocket[] {
  if (config.sourcePorts === "fixed") return [];
  try {
    return openSenders(wanted, config.sourcePorts);
  } catch (error) {
    loadShim().close(socket.fd);
    throw error;
  }
}
