/**
 * Who is in the way: the kernel VXLAN device or the process that holds a UDP port, the processes that hold a queue of
 * a TAP. Asked only after something went wrong, or when a device was there before us; what we may not see is left out.
 */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** A process, as `ps` would name it. */
export interface ProcessName {
  readonly pid: number;
  readonly command: string;
}

/** Who holds a UDP port. */
export interface PortHolders {
  /** VXLAN devices of the kernel in this network namespace that are up on the port. */
  readonly devices: readonly string[];
  readonly processes: readonly ProcessName[];
}

/**
 * Looks for who is bound to a UDP port in this network namespace, and in the way of a socket of this address family. An
 * IPv6 socket is in the way of IPv4, too, unless it is IPV6_V6ONLY, which only its owner knows: ours are.
 */
export function portHolders(port: number, family: 4 | 6): PortHolders {
  const targets = (file: string): Set<string> =>
    new Set(socketsOnPort(read(`/proc/net/${file}`), port).map((inode) => `socket:[${inode}]`));
  const same = targets(family === 4 ? "udp" : "udp6");
  const other = family === 4 ? targets("udp6") : new Set<string>();
  const holds = (target: string, pid: number): boolean =>
    same.has(target) || (other.has(target) && pid !== process.pid);
  return {
    devices: vxlanDevicesOnPort(listVxlan(), port, family),
    processes: same.size + other.size === 0 ? [] : processesWith(holds),
  };
}

/** Processes other than this one, in the same network namespace, that hold a queue of the TAP `name`. */
export function tapHolders(name: string): readonly ProcessName[] {
  return holdersOfTaps()(name);
}

/**
 * As `tapHolders`, for whoever asks about many of them: the machine's processes are gone through once, at the first
 * question.
 */
export function holdersOfTaps(): (name: string) => readonly ProcessName[] {
  let byName: Map<string, ProcessName[]> | undefined;
  return (name) => {
    byName ??= readTapHolders();
    return byName.get(name) ?? [];
  };
}

/** Processes other than this one, in the same network namespace, that run the program `command` (the kernel's comm). */
export function processesCalled(command: string): readonly ProcessName[] {
  const here = link("/proc/self/ns/net");
  return pids()
    .filter((pid) => pid !== process.pid && link(`/proc/${pid}/ns/net`) === here)
    .map(processOf)
    .filter((one) => one.command === command);
}

/**
 * The names in what `ip -json -details link show type vxlan` printed that hold a UDP port over an address family. A
 * device that is down holds none (the kernel binds in vxlan_open); one that is up has a socket of IPv6 where it has an
 * address of it, of both where it is `external`, else of IPv4 (vxlan_sock_add).
 */
export function vxlanDevicesOnPort(json: string, port: number, family: 4 | 6): string[] {
  let links: unknown;
  try {
    links = JSON.parse(json);
  } catch {
    return [];
  }
  if (!Array.isArray(links)) return [];
  return links
    .filter((link) => link?.flags?.includes("UP") && link.linkinfo?.info_data?.port === port)
    .filter(({ linkinfo: { info_data: data } }) => data.external || isOverIpv6(data) === (family === 6))
    .map((link) => String(link.ifname));
}

function isOverIpv6(data: Readonly<Record<string, unknown>>): boolean {
  return ["local6", "remote6", "group6"].some((name) => name in data);
}

/** The inode numbers of the sockets bound to `port` in the text of /proc/net/udp or udp6. */
export function socketsOnPort(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return table
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[1]?.endsWith(suffix))
    .map((fields) => fields[9] ?? "");
}

/** The device in the fdinfo of a /dev/net/tun descriptor (tun_chr_show_fdinfo), undefined when it has none. */
export function tapInFdinfo(text: string): string | undefined {
  const name = /^iff:\t(.*)$/m.exec(text)?.[1];
  return name === "" ? undefined : name;
}

function listVxlan(): string {
  try {
    return execFileSync("ip", ["-json", "-details", "link", "show", "type", "vxlan"], {
      encoding: "utf8",
      timeout: 5000,
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    return "";
  }
}

/** Processes other than this one, in the same network namespace, by the TAPs of which they hold a queue. */
function readTapHolders(): Map<string, ProcessName[]> {
  const here = link("/proc/self/ns/net");
  const byName = new Map<string, ProcessName[]>();
  for (const pid of pids()) {
    if (pid === process.pid || link(`/proc/${pid}/ns/net`) !== here) continue;
    const names = descriptors(pid)
      .filter(({ target }) => target === "/dev/net/tun")
      .map(({ info }) => tapInFdinfo(read(info)));
    for (const name of new Set(names)) {
      if (name === undefined) continue;
      byName.set(name, [...(byName.get(name) ?? []), processOf(pid)]);
    }
  }
  return byName;
}

function processesWith(holds: (target: string, pid: number) => boolean): ProcessName[] {
  return pids()
    .filter((pid) => descriptors(pid).some(({ target }) => holds(target, pid)))
    .map(processOf);
}

function pids(): number[] {
  return list("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number);
}

/** What a process has open: where each leads, and the file that says more about it. */
function descriptors(pid: number): { target: string; info: string }[] {
  return list(`/proc/${pid}/fd`).map((fd) => ({
    target: link(`/proc/${pid}/fd/${fd}`),
    info: `/proc/${pid}/fdinfo/${fd}`,
  }));
}

function processOf(pid: number): ProcessName {
  return { pid, command: read(`/proc/${pid}/comm`).trim() };
}

// A process may end, or not be ours to look into, at any moment: then there is nothing to read.

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function link(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return "";
  }
}
