/**
 * `poplin cleanup`: removes the TAP that a stopped agent left, and with it its addresses, neighbours and routes, which
 * the kernel drops with their device. It touches nothing that is no TAP, and no TAP that a process holds.
 */
import { Command } from "commander";
import { loadDeviceNames } from "../agent/config/device-name.ts";
import { deleteLink, type Link } from "../host/link.ts";
import { type DeviceState, readDevice } from "../host/read.ts";
import { tapHolders } from "../io/linux/holders.ts";
import { print } from "./client.ts";
import { CliError, EXIT } from "./errors.ts";

interface CleanupOptions {
  readonly config?: string;
  readonly device?: string;
  readonly force?: boolean;
}

export function cleanupCommand(): Command {
  return new Command("cleanup")
    .description(
      "Remove the device that a stopped agent left, with its addresses, neighbours and routes. Until then the " +
        "device keeps them for the next start. Nothing to remove is no failure.\n\n" +
        "Which device: --device, else POPLIN_DEVICE, else what the file says, else flannel.VNI with the VNI of " +
        "POPLIN_VNI or the file: flannel.1; with a list of overlays in the file, all of theirs. A mistake elsewhere in the configuration does not matter here.",
    )
    .option("-c, --config <FILE>", "the agent's configuration file, which may name the device")
    .option("-d, --device <NAME>", "the device itself")
    .option("-f, --force", "even while an agent runs on it, which then ends")
    .action(cleanup);
}

async function cleanup(options: CleanupOptions): Promise<void> {
  const { config = null, device: name } = options;
  const devices = loadDeviceNames({ path: config, env: process.env, flags: { device: name } });
  for (const device of devices) await cleanUp(device, options);
}

async function cleanUp(device: string, options: CleanupOptions): Promise<void> {
  const state = await readDevice(device);
  if (state === null) {
    print([`there is no device ${device}: nothing to remove`]);
    return;
  }
  refuseForeign(state.link);
  if (options.force !== true) refuseHeld(state.link);
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
    "stop it first; --force removes the device under it, and an agent ends then",
  );
}

function removed({ link, neighbours, routes }: DeviceState): string[] {
  return [
    `removed ${link.name} (${link.mac})`,
    ...link.addresses.map((cidr) => `  address    ${cidr}`),
    ...neighbours.map(({ address, mac }) => `  neighbour  ${address} lladdr ${mac}`),
    ...routes.map(({ subnet, via }) => `  route      ${subnet} via ${via}`),
  ];
}
