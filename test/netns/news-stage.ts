/** The host on which `netlink-scenarios.ts` and `monitor-scenarios.ts` happen, and what they share. */
import { execFile, execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { desiredRows } from "../../src/control/desired.ts";

export const DEVICE = "flannel.1";
export const MAC = "02:ca:fe:00:00:01";
export const UPLINK = "eth0";
/** IN6_ADDR_GEN_MODE_NONE, `include/uapi/linux/if_link.h`. */
const ADDR_GEN_MODE_NONE = "1";
/** Routes in a storm. */
export const MANY = 20_000;
/** Milliseconds after which a scenario gives up; none of it takes more than a few hundred where nobody else is. */
const LIMIT = 40_000;

/** The rows of the one peer there is, and our address. */
export const DESIRED = desiredRows(
  [{ publicIp: "192.168.9.2", port: 8472, vtepMac: "02:ca:fe:00:00:02", subnets: ["10.244.2.0/24"] }],
  ["10.244.1.0/32"],
);

/** Makes flannel.1 and eth0, ends of veth pairs, with what a flannel node has on them, and cni0, a bridge. */
export function setUp(): void {
  // No link makes itself an IPv6 address, whose route would be told of when it likes: also those that are made later.
  writeFileSync("/proc/sys/net/ipv6/conf/default/addr_gen_mode", ADDR_GEN_MODE_NONE);
  const links = [DEVICE, "far0", UPLINK, "far1", "cni0"];
  ipBatch([
    `link add ${DEVICE} address ${MAC} mtu 1450 type veth peer name far0`,
    `link add ${UPLINK} type veth peer name far1`,
    "link add cni0 type bridge",
    ...links.map((name) => `link set ${name} up`),
    `address add 10.244.1.0/32 dev ${DEVICE}`,
    `address add 192.168.9.1/24 dev ${UPLINK}`,
    "address add 10.244.1.1/24 dev cni0",
    `neigh add 10.244.2.0 lladdr 02:ca:fe:00:00:02 nud permanent dev ${DEVICE}`,
    `route add 10.244.2.0/24 via 10.244.2.0 dev ${DEVICE} onlink`,
  ]);
}

/** Runs `ip`; the event loop stands still meanwhile. */
export function ip(line: string): void {
  execFileSync("ip", line.split(" "));
}

/** The same for many lines. */
export function ipBatch(lines: readonly string[]): void {
  execFileSync("ip", ["-batch", "-"], { input: lines.join("\n") });
}

/** The same, but the event loop goes on. */
export async function ipBatchBeside(lines: readonly string[]): Promise<void> {
  const running = promisify(execFile)("ip", ["-batch", "-"]);
  running.child.stdin!.end(lines.join("\n"));
  await running;
}

/** Lines that add or delete `MANY` routes through cni0. */
export function manyRoutes(verb: "add" | "del"): string[] {
  const subnet = (i: number): string => `10.${100 + (i >> 14)}.${(i >> 6) & 255}.${(i & 63) * 4}/30`;
  return Array.from({ length: MANY }, (_, i) => `route ${verb} ${subnet(i)} dev cni0`);
}

/** @throws Error when it does not become true */
export async function until(done: () => boolean): Promise<void> {
  const end = performance.now() + LIMIT;
  while (!done()) {
    if (performance.now() > end) throw new Error("what was waited for did not happen");
    await pause(5);
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
