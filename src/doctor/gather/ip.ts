/** What `ip` says of this host's links and routes: read, never changed. */
import { ipOrThrow, plainReason, runIp } from "../../host/ip.ts";
import { type Link, parseLinks } from "../../host/link.ts";
import type { Way } from "../evidence.ts";

export interface HostLink extends Link {
  readonly qdisc: string;
  /** It has a cable, or what stands for one. */
  readonly carrier: boolean;
  /** UDP port of a VXLAN device of the kernel's; null of everything else. */
  readonly vxlanPort: number | null;
}

interface IpJson {
  readonly ifname?: string;
  readonly qdisc?: string;
  readonly flags?: readonly string[];
  readonly linkinfo?: { readonly info_kind?: string; readonly info_data?: { readonly port?: number } };
}

/** @throws HostError */
export async function readHostLinks(): Promise<HostLink[]> {
  return parseHostLinks(JSON.parse(await ipOrThrow(["-json", "-details", "addr", "show"], {})));
}

/** @param json what `ip -json -details addr show` printed, parsed */
export function parseHostLinks(json: readonly unknown[]): HostLink[] {
  const raw = (json as readonly IpJson[]).filter(({ ifname }) => ifname !== undefined);
  return parseLinks(json).map((link, i) => {
    const { qdisc = "", flags = [], linkinfo } = raw[i]!;
    const port = linkinfo?.info_kind === "vxlan" ? (linkinfo.info_data?.port ?? null) : null;
    return { ...link, qdisc, carrier: flags.includes("LOWER_UP"), vxlanPort: port };
  });
}

/** @returns where the kernel would send a packet to `address` */
export async function wayTo(address: string): Promise<Way & { readonly via: string }> {
  const { status, stdout, stderr } = await runIp(["-json", "route", "get", address], {});
  if (status !== 0) return { address, device: "", via: "", said: plainReason(stderr) };
  const [route] = JSON.parse(stdout) as { dev?: string; gateway?: string; type?: string }[];
  const said = route?.type === undefined || route.type === "unicast" ? "" : route.type;
  return { address, device: route?.dev ?? "", via: route?.gateway ?? "", said };
}

/**
 * Has the kernel look a packet up as if it had come in: forwarding, source checks (rp_filter) and the way on.
 * @returns the command that does the same, and why the packet would not pass, "" when it would
 */
export async function lookUp(
  to: string,
  from: string,
  iif: string,
): Promise<{ asked: string; said: string }> {
  const words = ["route", "get", to, "from", from, "iif", iif];
  const { status, stderr } = await runIp(words, {});
  const said = status === 0 ? "" : plainReason(stderr) || `exit status ${status}`;
  return { asked: `ip ${words.join(" ")}`, said };
}
