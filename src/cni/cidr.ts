/**
 * The one thing that the plugin has to know of addresses. `control/address.ts` knows more, and takes 7 ms to load, a
 * third of what the whole process takes.
 */
import { isIP } from "node:net";
import { formatIpv4, formatIpv6 } from "../wire/bytes.ts";

/** @returns a CIDR without its host bits, canonical: "10.244.1.0/24" for "10.244.1.1/24"; null where it is none */
export function networkOf(cidr: string): string | null {
  const [, address = "", prefix = ""] = /^([\d.]+|[\da-fA-F:]+)\/(0|[1-9]\d{0,2})$/.exec(cidr) ?? [];
  const family = isIP(address);
  const bytes = family === 4 ? ipv4Bytes(address) : ipv6Bytes(address);
  if (family === 0 || Number(prefix) > bytes.length * 8) return null;
  // Of each byte as many bits as the prefix still covers.
  const network = bytes.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, Number(prefix) - i * 8))));
  return `${family === 4 ? formatIpv4(network, 0) : formatIpv6(network, 0)}/${prefix}`;
}

function ipv4Bytes(text: string): Uint8Array {
  return Uint8Array.from(text.split("."), Number);
}

/** @param text as isIP has found it right */
function ipv6Bytes(text: string): Uint8Array {
  const [head = [], tail = []] = text.split("::").map((side) => side.split(":").filter(Boolean));
  const zeros = Array<string>(Math.max(0, 8 - head.length - tail.length)).fill("0");
  const groups = [...head, ...zeros, ...tail].map((group) => Number.parseInt(group, 16));
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}
