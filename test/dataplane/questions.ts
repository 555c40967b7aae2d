/** ARP requests and neighbour solicitations, byte by byte: what the proxy and the kernel's are asked. */
import { fromHex } from "../../src/wire/bytes.ts";

export const ASKER = "0a5800000002";
export const OWNER = "020000000005";
export const OWNER_MAC = "02:00:00:00:00:05";
export const IP_ASKER = "0a630002";
export const IP_OWNER = "0a630005";
export const IP6_ASKER = "fd990000000000000000000000000002";
export const IP6_OWNER = "fd990000000000000000000000000005";
export const IP6_NOBODY = "0".repeat(32);
export const GROUP = "ff0200000000000000000001ff000005";
export const TAG = "81000064";

export interface Arp {
  readonly tag?: string;
  readonly hardware?: string;
  readonly op?: string;
  readonly sender?: string;
  readonly target?: string;
  readonly padding?: number;
}

export function arp({
  tag = "",
  hardware = "0001",
  op = "0001",
  sender = IP_ASKER,
  target = IP_OWNER,
  padding = 0,
}: Arp) {
  const ethernet = `ffffffffffff ${ASKER} ${tag} 0806`;
  const body = `${hardware}0800 0604${op} ${ASKER} ${sender} 000000000000 ${target}`;
  return { bytes: fromHex(`${ethernet} ${body} ${"00".repeat(padding)}`) };
}

export interface Solicitation {
  readonly tag?: string;
  readonly source?: string;
  readonly target?: string;
  readonly options?: string;
  readonly hops?: string;
  readonly type?: string;
  readonly word?: string;
}

export const OPTION = `0101${ASKER}`;

export function solicitation(given: Solicitation) {
  const { tag = "", source = IP6_ASKER, target = IP6_OWNER, options = OPTION, hops = "ff" } = given;
  const { type = "8700", word = "60000000" } = given;
  const length = (24 + options.replace(/\s/g, "").length / 2).toString(16).padStart(4, "0");
  const ip = `${word} ${length} 3a${hops} ${source} ${GROUP}`;
  // The checksum is not looked at, as by the kernel.
  return {
    bytes: fromHex(`3333ff000005 ${ASKER} ${tag} 86dd ${ip} ${type}0000 00000000 ${target} ${options}`),
  };
}
