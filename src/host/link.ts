/**
 * Links: what there is under our device's name, and what has to be done before it can be our TAP.
 *
 *   planDevices ─▶ makeWay ─▶ the shim opens the TAPs ─▶ repairLinks (`repair.ts`)
 */
import { type IpAddress, parseAddresses } from "./address.ts";
import { failed, HostError, type HostOptions, runIp } from "./ip.ts";

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

/** A device's name, what has it now, and what to do about that. */
export interface DevicePlan {
  readonly name: string;
  readonly decision: DeviceDecision;
  /** The link as it is before: its MAC and addresses are worth keeping. */
  readonly before: Link | null;
}

/** Looks what has these names, and changes nothing. @throws HostError */
export async function planDevices(
  names: readonly string[],
  options: HostOptions = {},
): Promise<DevicePlan[]> {
  const links = await readLinks(names, options);
  return names.map((name) => {
    const before = links.get(name) ?? null;
    return { name, decision: decideDevice(before), before };
  });
}

/**
 * Makes way for our TAPs: deletes what has to go, refuses what is not ours to touch.
 * @param beforeDelete makes sure that what comes after can work, so that nothing is deleted in vain; throws if not
 * @throws HostError `HOST_DEVICE_TAKEN`, `HOST_DEVICE_BUSY`: nothing has been deleted then
 */
export async function makeWay(
  plans: readonly DevicePlan[],
  options: HostOptions = {},
  beforeDelete: () => Promise<void> = async () => {},
): Promise<void> {
  for (const { name, decision } of plans) {
    if (decision.action === "taken") {
      const remedy = "give another name with `device`, or delete it if it is of no use";
      throw new HostError("HOST_DEVICE_TAKEN", `${name} exists, and ${decision.reason}`, remedy);
    }
    if (decision.action === "busy") {
      const remedy = "stop the other agent, or give this one another `device`";
      throw new HostError("HOST_DEVICE_BUSY", `${name} is in use: ${decision.reason}`, remedy);
    }
  }
  const going = plans.filter(({ decision }) => decision.action === "recreate");
  if (going.length === 0) return;
  await beforeDelete();
  for (const { name } of going) await deleteLink(name, options);
}

/** @returns the error for a device that is not there, though it should */
export function missing(name: string): HostError {
  return new HostError("HOST_DEVICE_MISSING", `there is no device ${name}`, "restart the agent");
}

/** Deletes a link. One that is not there is no failure. */
export async function deleteLink(name: string, options: HostOptions = {}): Promise<void> {
  const args = ["link", "del", "dev", name];
  const result = await runIp(args, options);
  if (result.status !== 0 && !isMissing(result.stderr)) throw failed(args, result);
}

/** @returns the link of that name with its addresses; null when there is none. */
export async function readLink(name: string, options: HostOptions = {}): Promise<Link | null> {
  return (await readLinks([name], options)).get(name) ?? null;
}

/** @returns by name those of these links that there are, with their addresses. @throws HostError */
export async function readLinks(
  names: readonly string[],
  options: HostOptions,
): Promise<ReadonlyMap<string, Link>> {
  const one = names.length === 1 ? names[0]! : null;
  const args = ["-json", "-details", ...addressQuery(one).split(" ")];
  const result = await runIp(args, options);
  if (result.status !== 0) {
    if (one !== null && isMissing(result.stderr)) return new Map();
    throw failed(args, result);
  }
  const wanted = new Set(names);
  const links = parseLinks(JSON.parse(result.stdout)).filter(({ name }) => wanted.has(name));
  return new Map(links.map((link) => [link.name, link]));
}

/** The query for links with their addresses, as a line of `ip -batch`. @param device null for all */
export function addressQuery(device: string | null): string {
  return device === null ? "addr show" : `addr show dev ${device}`;
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
