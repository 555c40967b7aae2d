/**
 * `poplin cleanup`: removes the TAP that a stopped agent left, and with it its addresses, neighbours and routes, which
 * the kernel drops with their device; of a node of a flannel cluster also what it left beside (`cleanup-node.ts`). It
 * touches nothing that is no TAP, and no TAP that a process holds.
 */
import { setTimeout } from "node:timers/promises";
import { Command } from "commander";
import { loadDeviceNames } from "../agent/config/device-name.ts";
import { FLANNELD_FLAGS } from "../agent/flannel/flag-table.ts";
import { deleteLink, type Link } from "../host/link.ts";
import { type DeviceState, readDevice } from "../host/read.ts";
import { tapHolders } from "../io/linux/holders.ts";
import { cleanUpNode } from "./cleanup-node.ts";
import { print } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";

/** Where flanneld writes it. */
const SUBNET_FILE = FLANNELD_FLAGS["subnet-file"].fallback;

/** Milliseconds that a process gets to end, and between two looks whether it has. */
const END_TIMEOUT = 10_000;
const END_POLL = 50;

interface CleanupOptions {
  readonly config?: string;
  readonly device?: string;
  readonly force?: boolean;
  readonly subnetFile?: string;
  readonly cniConf?: string;
}

export function cleanupCommand(): Command {
  return new Command("cleanup")
    .description(
      "Remove the device that a stopped agent left, with its addresses, neighbours and routes. Until then the " +
        "device keeps them for the next start. Of a node of a flannel cluster also its device for IPv6, its firewall " +
        "rules, its routes past the overlay, subnet.env, and what --write-cni-conf has written. Nothing to remove is no failure.\n\n" +
        "Which device: --device, else POPLIN_DEVICE, else what the file says, else flannel.VNI with the VNI of " +
        "POPLIN_VNI or the file: flannel.1; with a list of overlays in the file, all of theirs. A mistake elsewhere in " +
        "the configuration does not matter here.",
    )
    .option("-c, --config <FILE>", "the agent's configuration file, which may name the device")
    .option("-d, --device <NAME>", "the device itself")
    .option("--subnet-file <FILE>", `of a flannel node (or FLANNELD_SUBNET_FILE; default ${SUBNET_FILE})`)
    .option("--cni-conf <FILE>", "what --write-cni-conf named (or FLANNELD_WRITE_CNI_CONF)")
    .option("-f, --force", "even while an agent runs on it, which is ended first")
    .action(cleanup);
}

async function cleanup(options: CleanupOptions): Promise<void> {
  const { config = null, device: name } = options;
  const devices = loadDeviceNames({ path: config, env: process.env, flags: { device: name } });
  for (const device of devices) await cleanUp(device, options);
  const flannels = devices.filter((device) => device.startsWith("flannel."));
  for (const device of flannels) await cleanUpIpv6(device, options);
  const { subnetFile = process.env.FLANNELD_SUBNET_FILE || SUBNET_FILE } = options;
  const { cniConf = process.env.FLANNELD_WRITE_CNI_CONF || null } = options;
  if (flannels.length > 0) print(await cleanUpNode(subnetFile, cniConf));
}

/** With dual stack a node has a second device. */
async function cleanUpIpv6(device: string, options: CleanupOptions): Promise<void> {
  const name = device.replace("flannel.", "flannel-v6.");
  if ((await readDevice(name)) !== null) await cleanUp(name, options);
}

async function cleanUp(device: string, options: CleanupOptions): Promise<void> {
  const state = await readDevice(device);
  if (state === null) {
    print([`there is no device ${device}: nothing to remove`]);
    return;
  }
  refuseForeign(state.link);
  if (options.force === true) await endHolders(device);
  else refuseHeld(state.link);
  await deleteLink(device);
  print(removed(state));
}

function refuseForeign({ name, kind, tun }: Link): void {
  if (tun?.mode === "tap") return;
  const what =
    tun !== null ? "a TUN" : kind === null ? "a network interface" : `a ${kind} device of the kernel's`;
  throw new CliError(
    EXIT.failed,
    `${name} is ${what} and not poplin's: left as it is`,
    `if nobody needs it: ip link del ${name}`,
  );
}

function refuseHeld({ name, tun }: Link): void {
  if (tun?.queues === 0) return;
  const holders = tapHolders(name).map(({ pid, command }) => `${command} (pid ${pid})`);
  throw new CliError(
    EXIT.failed,
    `${name} is in use by ${holders.join(", ") || "a process that cannot be seen from here"}`,
    "stop it first; --force does, and removes the device then",
  );
}

/** An agent whose device is deleted under it would make it anew. */
async function endHolders(name: string): Promise<void> {
  const until = performance.now() + END_TIMEOUT;
  for (const { pid } of tapHolders(name)) endQuietly(pid);
  while (tapHolders(name).length > 0 && performance.now() < until) await setTimeout(END_POLL);
}

function endQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGTERM");
  } catch {
    // It has gone meanwhile, or is not ours to end: then the device is deleted under it.
  }
}

function removed({ link, neighbours, routes }: DeviceState): string[] {
  return [
    `removed ${link.name} (${link.mac})`,
    ...link.addresses.map((cidr) => `  address    ${cidr}`),
    ...neighbours.map(({ address, mac }) => `  neighbour  ${address} lladdr ${mac}`),
    ...routes.map(({ subnet, via }) => `  route      ${subnet} via ${via}`),
  ];
}
