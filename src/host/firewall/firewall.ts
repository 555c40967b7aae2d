/**
 * The firewall of a flannel node: the kind that the network asks for, with what the other kind left taken away first,
 * or pods would be masqueraded by both.
 */
import { IptablesFirewall, isNewEnough, readVersion, removeIptables } from "./iptables.ts";
import { NftFirewall, nftKnowsFullyRandom, removeNftables } from "./nft.ts";
import type { Firewall, FirewallWish, Masqueraded } from "./wish.ts";

export interface OpenFirewall {
  readonly firewall: Firewall;
  /** What was taken away of the other kind, a line each. */
  readonly removed: readonly string[];
  /** What the operator should know, a line each. */
  readonly warnings: readonly string[];
}

/**
 * Makes ready to keep this node's rules; the first `ensure` sets them. Where this iptables or nft cannot choose ports at
 * random (`wish.randomFully`), it goes without.
 * @param kind what net-conf.json says under EnableNFTables
 * @param former networks that this node had before: their rules go with the first `ensure`
 * @throws HostError when the other kind's rules cannot be taken away, or a program is missing
 */
export async function openFirewall(
  kind: "iptables" | "nftables",
  wish: FirewallWish,
  former: readonly Masqueraded[] = [],
): Promise<OpenFirewall> {
  if (kind === "nftables") {
    const removed = await removeIptables();
    if (!wish.masquerade && !wish.forward) {
      const nothing = { ensure: async () => [] };
      return { firewall: nothing, removed: [...removed, ...(await removeNftables())], warnings: [] };
    }
    const randomFully = wish.randomFully && (await nftKnowsFullyRandom());
    const warnings = wish.randomFully && !randomFully ? [notRandom("nft")] : [];
    return { firewall: new NftFirewall({ ...wish, randomFully }), removed, warnings };
  }
  const removed = await removeNftables();
  const version = await readVersion();
  const isNew = version !== null && isNewEnough(version);
  const randomFully = wish.randomFully && isNew;
  const warnings = wish.randomFully && version !== null && !isNew ? [notRandom("iptables")] : [];
  return { firewall: new IptablesFirewall({ ...wish, randomFully }, former, isNew), removed, warnings };
}

/** Takes the rules of both kinds away. @returns what was done, a line each. @throws HostError */
export async function removeFirewall(): Promise<string[]> {
  return [...(await removeIptables()), ...(await removeNftables())];
}

function notRandom(program: string): string {
  return `this ${program} cannot choose the source ports of masqueraded flows at random: flows may fail to start now and then`;
}
