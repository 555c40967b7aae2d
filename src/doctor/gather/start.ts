/** Whether an agent could start here: each thing that it needs is tried, and given back at once. */
import { close } from "node:fs";
import { release } from "node:os";
import { ApiClient } from "../../agent/api/client.ts";
import type { AgentConfig } from "../../agent/config/load.ts";
import { tryTap, tryUdp } from "../../agent/offloads.ts";
import { overlayMtu } from "../../control/mtu.ts";
import { everyOffload, SWITCHED_OFF } from "../../dataplane/offloads.ts";
import { searchPath } from "../../host/command.ts";
import { planDevices } from "../../host/link.ts";
import { findUplink, type Uplink } from "../../host/uplink.ts";
import { loadShim, PLAIN_SOCKET } from "../../io/linux/shim.ts";
import { openTap } from "../../io/linux/tap.ts";
import { checkPort, openUdp } from "../../io/linux/udp.ts";
import type { OffloadEvidence, StartEvidence } from "../evidence.ts";
import { attempt, failureOf } from "./attempt.ts";
import { sysctl } from "./proc.ts";
import { programExists } from "./programs.ts";

const PROGRAMS = ["ip", "tc", "iptables", "nft"];
/** Milliseconds that an agent which runs here has to say so. */
const ANSWER = 1000;
/** The kernel reports twice what it grants (sock_setsockopt, socket(7)). */
const DOUBLED = 2;

export async function lookAtStart(config: AgentConfig): Promise<StartEvidence> {
  const shim = await attempt(() => loadShim());
  const able = shim.code === "";
  const names = config.overlays.map(({ device }) => device);
  const uplink = await uplinkOf(config);
  const bind = await attempt(() => tryPort(config, names, able));
  return {
    nodeVersion: process.versions.node,
    kernel: release(),
    shim,
    tap: able ? await attempt(makeTap) : shim,
    missing: PROGRAMS.filter((program) => !programExists(program, searchPath())),
    uplink,
    mtu: await attempt(() => {
      if (uplink.found !== null) overlayMtu(config.mtu, uplink.found.mtu, config.family, uplink.found.device);
    }),
    port: { number: config.port, bind },
    device: await deviceOf(names),
    buffers: { wanted: config.receiveBuffer, granted: able ? granted(config) : config.receiveBuffer },
    offloads: able ? offloadsOf(config, uplink.found) : [],
    forwarding: sysctl("net/ipv4/ip_forward"),
    running: await agentAt(config.socket),
  };
}

async function agentAt(socket: string): Promise<StartEvidence["running"]> {
  const status = await new ApiClient(socket, ANSWER).status().catch(() => null);
  return status === null ? null : { pid: status.pid, socket };
}

/** A device of a free name, which goes with its descriptor: on a thread of libuv's pool, since that takes a while. */
function makeTap(): void {
  close(openTap("poplin%d", everyOffload(false)).fd, () => {});
}

async function uplinkOf(config: AgentConfig): Promise<StartEvidence["uplink"]> {
  const towards = config.overlays.flatMap(({ peers }) => peers.map(({ publicIp }) => publicIp))[0] ?? null;
  let found: Uplink | null = null;
  const tried = await attempt(async () => {
    found = await findUplink({ local: config.local, device: config.dev, towards, family: config.family });
  });
  return { ...tried, found };
}

/** A VXLAN device of the kernel's that has one of our names is in nobody's way: the agent takes its place. */
async function tryPort(config: AgentConfig, names: readonly string[], able: boolean): Promise<void> {
  const { port, family } = config;
  checkPort(port, family, names);
  if (!able) return;
  const devices = await planDevices(names);
  if (devices.some(({ before }) => before?.kind === "vxlan" && before.up)) return;
  loadShim().close(openUdp({ ...PLAIN_SOCKET, family, address: "", port }).fd);
}

async function deviceOf(names: readonly string[]): Promise<StartEvidence["device"]> {
  // Without `ip` nothing is known, and that has a finding of its own.
  for (const { name, decision } of await planDevices(names).catch(() => [])) {
    if (decision.action === "taken" || decision.action === "busy") return { name, taken: decision.reason };
  }
  return { name: names[0]!, taken: null };
}

function granted({ family, receiveBuffer, sendBuffer }: AgentConfig): number {
  const socket = openUdp({ ...PLAIN_SOCKET, family, address: "", receiveBuffer, sendBuffer });
  loadShim().close(socket.fd);
  return socket.receiveBuffer / DOUBLED;
}

/** What is wanted, and refused or mangled. */
function offloadsOf(config: AgentConfig, found: Uplink | null): OffloadEvidence[] {
  try {
    const tried = { ...tryTap(config), ...(found === null ? {} : tryUdp(config, found.address)) };
    return Object.entries(tried).flatMap(([name, why]) =>
      why === null || why === SWITCHED_OFF ? [] : [{ name, why }],
    );
  } catch (error) {
    return [{ name: "all", why: failureOf(error).message }];
  }
}
