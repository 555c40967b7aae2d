/** The TTL that the kernel gives to what says nothing of it, for those who have to say it themselves. */
import { readFileSync } from "node:fs";

/** IPDEFTTL (include/uapi/linux/ip.h) and IPV6_DEFAULT_HOPLIMIT, which the settings below start with. */
const DEFAULT_TTL = 64;
/** Of the reader's network namespace: what a socket that sets no TTL takes (`ip4_dst_hoplimit`, `ip6_dst_hoplimit`). */
const FILES = {
  4: "/proc/sys/net/ipv4/ip_default_ttl",
  6: "/proc/sys/net/ipv6/conf/default/hop_limit",
} as const;

/** @param file the kernel's setting, read each time: it may change between two starts */
export function defaultTtl(family: 4 | 6 = 4, file: string = FILES[family]): number {
  try {
    const ttl = Number(readFileSync(file, "utf8"));
    return Number.isInteger(ttl) && ttl >= 1 && ttl <= 255 ? ttl : DEFAULT_TTL;
  } catch {
    return DEFAULT_TTL; // no /proc here
  }
}
