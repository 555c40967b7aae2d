/**
 * Links: what there is under our device's name, and what has to be done before it can be our TAP.
 *
 *   readLink ─▶ decideDevice ─▶ (deleteLink) ─▶ the shim opens the TAP ─▶ repairLink until MAC, MTU and state are right
 *
 * Set the MAC before any neighbour: every change of it, even to the same one, makes the kernel forget the device's
 * neighbours, permanent ones too (`neigh_changeaddr`, net/core/neighbour.c).
 */
import { type IpAddress, parseAddresses } from "./address.ts";
import { failed, HostError, type HostOptions, ipOrThrow, runIp } from "./ip.ts";

/** What is known of one link. */
export interface Link {
  readonly name: string;
  readonly index: number;
  /** The kernel's word for its driver: "tun", "vxlan", "bridge"; null for hardware and loopback. */
  readonly kind: string | null;
  /** Set when `kind` is "tun". */
  readonly tun: Tun | null;
  readonly mac: string;
  readonly mtu: number;
  /** Administratively up. */
  readonly up: boolean;
  /** CIDRs, without the kernel's link-local one. */
  readonly addresses: readonly string[];
}

export interface Tun {
  readonly mode: "tap" | "tun";
  readonly multiQueue: boolean;
  readonly vnetHeader: boolean;
  /** It outlives the process that made it. */
  readonly persistent: boolean;
  /** Frames are preceded by a packet information header (no IFF_NO_PI). */
  readonly packetInfo: boolean;
  /** Queues that processes hold open now. */
  readonly queues: number;
}

/**
 * What to do about our device.
 * `create`: there is none; opening the TAP makes it. `reuse`: it is as we make it. `recreate`: delete it first.
 * `busy`: another process holds it open. `taken`: something that neither we nor flannel made has the name.
 */
export type DeviceDecision =
  | { readonly action: "create" | "reuse" }
  | { readonly action: "recreate" | "busy" | "taken"; readonly reason: string };

/** Decides, from what has our device's name (null: nothing). Pure. */
export function decideDevice(link: Link | null): DeviceDecision {
  if (link === null) return { action: "create" };
  if (link.kind === "vxlan") return { action: "recreate", reason: "it is a VXLAN device of the kernel's" };
  const { tun } = link;
  if (tun === null) {
    return {
      action: "taken",
      reason: `it is ${link.kind === null ? "a network interface" : `a ${link.kind}`}`,
    };
  }
  if (tun.queues > 0) return { action: "busy", reason: "another process holds it open" };
  if (tun.mode === "tun") return { action: "recreate", reason: "it is a TUN, which carries no Ethernet" };
  // The flags of a TAP are fixed when it is made (`tun_set_iff`, drivers/net/tun.c).
  if (!tun.multiQueue) return { action: "recreate", reason: "it has a single queue (no IFF_MULTI_QUEUE)" };
  if (!tun.vnetHeader) return { action: "recreate", reason: "it has no vnet header (no IFF_VNET_HDR)" };
  if (tun.packetInfo) return { action: "recreate", reason: "it has a packet information header" };
  return { action: "reuse" };
}

/**
 * Makes way for our TAP: deletes what has to go, refuses what is not ours to touch.
 * @param beforeDelete makes sure that what comes after can work, so that nothing is deleted in vain; throws if not
 * @returns the decision, and the link as it was before (its MAC and addresses are worth keeping)
 * @throws HostError `HOST_DEVICE_TAKEN`, `HOST_DEVICE_BUSY`
 */
export async function prepareDevice(
  name: string,
  options: HostOptions = {},
  beforeDelete: () => Promise<void> = async () => {},
): Promise<{ decision: DeviceDecision; before: Link | null }> {
  const before = await readLink(name, options);
  const decision = decideDevice(before);
  if (decision.action === "taken") {
    const remedy = "give another name with `device`, or delete it if it is of no use";
    throw new HostError("HOST_DEVICE_TAKEN", `${name} exists, and ${decision.reason}`, remedy);
  }
  if (decision.action === "busy") {
    const remedy = "stop the other agent, or give this one another `device`";
    throw new HostError("HOST_DEVICE_BUSY", `${name} is in use: ${decision.reason}`, remedy);
  }
  if (decision.action === "recreate") {
    await beforeDelete();
    await deleteLink(name, options);
  }
  return { decision, before };
}

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

/**
 * Sets MAC, MTU and "up" where they differ, reads them back, and repeats while somebody changes them meanwhile.
 * Compare the rows again after a repair: a changed MAC has cost the device its neighbours, a "down" its routes.
 * @returns the link as it is now, and what was repaired, in words
 * @throws HostError `HOST_DEVICE_MISSING`, or `HOST_IP_FAILED` when the kernel refuses or somebody is persistent
 */
export async function repairLink(
  name: string,
  wanted: WantedLink,
  options: HostOptions = {},
): Promise<{ link: Link; repaired: string[] }> {
  const repaired: string[] = [];
  for (let attempt = 0; ; attempt++) {
    const link = await readLink(name, options);
    if (link === null) {
      throw new HostError("HOST_DEVICE_MISSING", `there is no device ${name}`, "restart the agent");
    }
    const args = linkRepairs(link, wanted);
    if (args.length === 0) return { link, repaired };
    if (attempt === ATTEMPTS) {
      const message = `${name} does not keep what it is given: \`ip link set ${name} ${args.join(" ")}\``;
      throw new HostError(
        "HOST_IP_FAILED",
        message,
        "a network manager may claim the device: exclude it there",
      );
    }
    repaired.push(args.join(" "));
    await ipOrThrow(["link", "set", "dev", name, ...args], options);
  }
}

/** Deletes a link. One that is not there is no failure. */
export async function deleteLink(name: string, options: HostOptions = {}): Promise<void> {
  const args = ["link", "del", "dev", name];
  const result = await runIp(args, options);
  if (result.status !== 0 && !isMissing(result.stderr)) throw failed(args, result);
}

/** @returns the link of that name with its addresses; null when there is none. */
export async function readLink(name: string, options: HostOptions = {}): Promise<Link | null> {
  const args = ["-json", "-details", "addr", "show", "dev", name];
  const result = await runIp(args, options);
  if (result.status === 0) return parseLinks(JSON.parse(result.stdout))[0] ?? null;
  if (isMissing(result.stderr)) return null;
  throw failed(args, result);
}

/** @returns whether iproute2 says that a device is not there. */
export function isMissing(stderr: string): boolean {
  return /does not exist|Cannot find device|No such device/.test(stderr);
}

interface IpLink {
  readonly ifname: string;
  readonly ifindex: number;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly address?: string;
  readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: Readonly<Record<string, unknown>> };
  readonly addr_info?: readonly IpAddress[];
}

/** @param json what `ip -json -details addr show` printed, parsed */
export function parseLinks(json: readonly unknown[]): Link[] {
  // iproute2 prints an empty object for a link that a filter leaves out.
  return (json as readonly IpLink[])
    .filter((link) => link.ifname !== undefined)
    .map((link) => {
      const kind = link.linkinfo?.info_kind ?? null;
      return {
        name: link.ifname,
        index: link.ifindex,
        kind,
        tun: kind === "tun" ? parseTun(link.linkinfo?.info_data ?? {}) : null,
        mac: link.address ?? "",
        mtu: link.mtu,
        up: link.flags.includes("UP"),
        addresses: parseAddresses(link.addr_info ?? []),
      };
    });
}

function parseTun(data: Readonly<Record<string, unknown>>): Tun {
  return {
    mode: data.type === "tap" ? "tap" : "tun",
    multiQueue: data.multi_queue === true,
    vnetHeader: data.vnet_hdr === true,
    persistent: data.persist === true,
    packetInfo: data.pi === true,
    queues: Number(data.numqueues ?? 0) + Number(data.numdisabled ?? 0),
  };
}
