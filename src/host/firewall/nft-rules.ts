/**
 * The same rules for nftables: flannel's tables and chains (`pkg/trafficmngr/nftables/nftables.go`), with the meaning of
 * its iptables rules. Two of upstream's differ from those, and are put right here:
 *
 *   - what goes from this host, or from outside, to a pod elsewhere is masqueraded; upstream returns before that rule
 *   - kube-proxy's mark is looked for under its mask, as other marks may be set beside it
 *
 * Limits: "accept" in our chain does not overrule a "drop" in the chain of another table (nft(8), "verdict statement").
 */
import { type FirewallWish, GROUPS, KUBE_PROXY_MARK, type Masqueraded } from "./wish.ts";

export const NFT_TABLES = [
  { family: 4, name: "flannel-ipv4", word: "ip" },
  { family: 6, name: "flannel-ipv6", word: "ip6" },
] as const;

export type NftTable = (typeof NFT_TABLES)[number];

/** @returns the script for `nft -f -`: one table made anew, in one transaction */
export function nftScript({ family, name, word }: NftTable, wish: FirewallWish): string {
  const networks = wish.networks.filter((one) => one.family === family);
  const masquerade = wish.masquerade ? masqueradeRules(networks, word, wish.randomFully) : [];
  const forward = wish.forward ? forwardRules(networks, word) : [];
  return [
    `table ${word} ${name}`, // so that there is one to delete
    `delete table ${word} ${name}`,
    `table ${word} ${name} {`,
    "\tchain postrtg {",
    "\t\ttype nat hook postrouting priority srcnat; policy accept;",
    ...masquerade.map((rule) => `\t\t${rule}`),
    "\t}",
    "\tchain forward {",
    "\t\ttype filter hook forward priority filter; policy accept;",
    ...forward.map((rule) => `\t\t${rule}`),
    "\t}",
    "}",
    "",
  ].join("\n");
}

function masqueradeRules(networks: readonly Masqueraded[], word: string, randomFully: boolean): string[] {
  if (networks.length === 0) return [];
  const masquerade = `masquerade${randomFully ? " fully-random" : ""}`;
  return [
    `meta mark & ${KUBE_PROXY_MARK} == ${KUBE_PROXY_MARK} return`,
    ...networks.flatMap(({ family, network, subnet }) => [
      `${word} saddr ${subnet} ${word} daddr ${network} return`,
      `${word} saddr ${network} ${word} daddr ${subnet} return`,
      `${word} saddr != ${network} ${word} daddr ${subnet} return`,
      `${word} saddr ${network} ${word} daddr != ${GROUPS[family]} ${masquerade}`,
      `${word} saddr != ${network} ${word} daddr ${network} ${masquerade}`,
    ]),
  ];
}

function forwardRules(networks: readonly Masqueraded[], word: string): string[] {
  return networks.flatMap(({ network }) => [
    `${word} saddr ${network} accept`,
    `${word} daddr ${network} accept`,
  ]);
}
