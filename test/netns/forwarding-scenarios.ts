/** What `forwarding.test.ts` runs inside a namespace: a node whose default route of IPv6 comes from a router on its link. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { bridgeFilterWarnings, enableForwarding } from "../../src/host/forwarding.ts";

/** RFC 4861, section 4.2: a router for half an hour, with a prefix for addresses. The kernel adds the checksum. */
const ADVERTISE = `
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 7200, 3600, 0) + socket.inet_pton(socket.AF_INET6, "2001:db8:7::")
s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix,
         ("ff02::1", 0, 0, socket.if_nametoindex("far")))`;

function ip(...words: string[]): string {
  return execFileSync("ip", words, { encoding: "utf8" });
}

function sysctl(path: string, value: string): void {
  writeFileSync(`/proc/sys/net/${path}`, value);
}

function get(path: string): string {
  return execFileSync("cat", [`/proc/sys/net/${path}`], { encoding: "utf8" }).trim();
}

function off(): void {
  sysctl("ipv4/ip_forward", "0");
  sysctl("ipv6/conf/all/forwarding", "0");
}

const router = () => ip("-6", "route", "show", "default", "proto", "ra");

/** An uplink, called as VLANs are, that has learned its router. */
async function uplink(): Promise<void> {
  off();
  sysctl("ipv6/conf/default/accept_dad", "0");
  sysctl("ipv6/conf/default/accept_ra", "1");
  ip("link", "add", "up.7", "type", "veth", "peer", "name", "far");
  sysctl("ipv6/conf/far/accept_ra", "0");
  for (const device of ["up.7", "far"]) ip("link", "set", device, "up");
  for (let i = 0; i < 500 && router() === ""; i++) {
    try {
      execFileSync("python3", ["-c", ADVERTISE], { stdio: "ignore" });
    } catch {
      // no link-local address yet
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  if (router() === "") throw new Error("no router was learned");
}

/** The kernel as it is: what enableForwarding is careful about. */
export async function trap() {
  await uplink();
  sysctl("ipv6/conf/all/forwarding", "1");
  return { router: router() };
}

export async function kept() {
  await uplink();
  const report = await enableForwarding([4, 6]);
  return {
    report,
    forward: [get("ipv4/ip_forward"), get("ipv6/conf/all/forwarding")],
    router: router(),
    again: await enableForwarding([4, 6]),
  };
}

export async function onlyIpv4() {
  off();
  const { done } = await enableForwarding([4]);
  return { done, ipv6: get("ipv6/conf/all/forwarding") };
}

export async function readOnly() {
  await uplink();
  execFileSync("mount", ["--bind", "/proc/sys", "/proc/sys"]);
  execFileSync("mount", ["-o", "remount,ro,bind", "/proc/sys"]);
  return enableForwarding([4, 6]);
}

export function bridge() {
  for (const name of ["iptables", "ip6tables"]) sysctl(`bridge/bridge-nf-call-${name}`, "1");
  const fine = bridgeFilterWarnings([4, 6]);
  sysctl("bridge/bridge-nf-call-ip6tables", "0");
  return { fine, off: bridgeFilterWarnings([4, 6]), onlyIpv4: bridgeFilterWarnings([4]) };
}

export function noBridge() {
  execFileSync("mount", ["-t", "tmpfs", "none", "/proc/sys/net"]);
  return bridgeFilterWarnings([4]);
}
