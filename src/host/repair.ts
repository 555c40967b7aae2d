/**
 * MAC, MTU and state of our devices, put right where they are not.
 *
 * Set the MAC before any neighbour: every change of it, even to the same one, makes the kernel forget the device's
 * neighbours, permanent ones too (`neigh_changeaddr`, net/core/neighbour.c).
 */
import { runBatch } from "./batch.ts";
import { HostError, type HostOptions } from "./ip.ts";
import { type Link, missing, readLinks } from "./link.ts";

/** How a device should be. */
export interface WantedLink {
  readonly mac: string;
  readonly mtu: number;
}

/** @returns what of it differs, as arguments for `ip link set`; empty when nothing does. Pure. */
export function linkRepairs(link: Link, wanted: WantedLink): string[] {
  const args: string[] = [];
  if (link.mac !== wanted.mac) args.push("address", wanted.mac);
  if (link.mtu !== wanted.mtu) args.push("mtu", String(wanted.mtu));
  if (!link.up) args.push("up");
  return args;
}

/** How often a MAC is set again that somebody (systemd's MACAddressPolicy) changes behind our back. */
const ATTEMPTS = 5;

/** A link that is as it should be, and what had to be repaired for that, in words. */
export interface Repair {
  readonly link: Link;
  readonly repaired: readonly string[];
}

/**
 * Sets MAC, MTU and "up" where they differ, reads them back, and repeats while somebody changes them meanwhile; two
 * processes for any number of devices. Compare the rows again after a repair: a changed MAC has cost the device its
 * neighbours, a "down" its routes.
 * @returns by name what came of it; HostError `HOST_DEVICE_MISSING`, or `HOST_IP_FAILED` where the kernel refuses or
 *   somebody is persistent
 * @throws HostError when nothing can be asked or told
 */
export async function repairLinks(
  devices: readonly ({ readonly name: string } & WantedLink)[],
  options: HostOptions = {},
): Promise<ReadonlyMap<string, Repair | HostError>> {
  const results = new Map<string, Repair | HostError>();
  const repaired = new Map<string, string[]>(devices.map(({ name }) => [name, []]));
  let left = devices;
  for (let attempt = 0; left.length > 0; attempt++) {
    const links = await readLinks(
      left.map(({ name }) => name),
      options,
    );
    const lines: string[] = [];
    const wrong = left.filter((device) => {
      const { name } = device;
      const link = links.get(name);
      const args = link === undefined ? [] : linkRepairs(link, device);
      if (link === undefined) results.set(name, missing(name));
      else if (args.length === 0) results.set(name, { link, repaired: repaired.get(name)! });
      else if (attempt === ATTEMPTS) results.set(name, contested(name, args));
      else {
        repaired.get(name)!.push(args.join(" "));
        lines.push(setLine(name, args));
        return true;
      }
      return false;
    });
    const reasons = await runBatch(lines, options);
    left = wrong.filter(({ name }, i) => {
      const reason = reasons[i]!;
      if (reason === null) return true;
      results.set(name, new HostError("HOST_IP_FAILED", `\`ip ${lines[i]}\` failed: ${reason}`));
      return false;
    });
  }
  return results;
}

/** As `repairLinks`, for one. @throws HostError what that returns, too */
export async function repairLink(
  name: string,
  wanted: WantedLink,
  options: HostOptions = {},
): Promise<Repair> {
  const result = (await repairLinks([{ name, ...wanted }], options)).get(name)!;
  if (result instanceof HostError) throw result;
  return result;
}

function setLine(name: string, args: readonly string[]): string {
  return `link set dev ${name} ${args.join(" ")}`;
}

function contested(name: string, args: readonly string[]): HostError {
  const message = `${name} does not keep what it is given: \`ip ${setLine(name, args)}\``;
  return new HostError("HOST_IP_FAILED", message, "a network manager may claim the device: exclude it there");
}
