/**
 * Rules for nftables: flannel's two tables, each made anew in one transaction, and listed again to see whether somebody
 * changed them. That costs two times 4 ms, or 12 ms where kube-proxy has 20,000 rules in tables of its own.
 *
 * Limits: as with flanneld, the tables are one node's. Two nodes of two networks on the same host would take them from
 * each other; with iptables they live together.
 */
import { HostError, runCommand } from "../command.ts";
import { NFT_TABLES, type NftTable, nftScript } from "./nft-rules.ts";
import { failure, NO_NFT, run } from "./run.ts";
import type { Firewall, FirewallWish } from "./wish.ts";

/** Rules for nftables, in flannel's tables. */
export class NftFirewall implements Firewall {
  readonly #wish: FirewallWish;
  /** How each table is listed when it is as we made it; null for one that this kernel does not have. */
  readonly #listed = new Map<NftTable, string | null>();

  constructor(wish: FirewallWish) {
    this.#wish = wish;
  }

  async ensure(): Promise<string[]> {
    const done: string[] = [];
    for (const table of NFT_TABLES) {
      const before = this.#listed.get(table);
      if (before === null || (before !== undefined && (await list(table)) === before)) continue;
      if (!(await this.#make(table))) continue;
      const why = before === undefined ? "set" : "set again, somebody had changed it";
      done.push(`nftables: table ${table.word} ${table.name} ${why}`);
    }
    return done;
  }

  /** @returns false where the kernel has no such table, and none is needed */
  async #make(table: NftTable): Promise<boolean> {
    const script = nftScript(table, this.#wish);
    const { stderr, ...result } = await runCommand("nft", ["-f", "-"], NO_NFT, script);
    const made = result.status === 0;
    const needed = this.#wish.networks.some(({ family }) => family === table.family);
    if (!made && (needed || isForbidden(stderr))) throw failure("nft -f -", { stderr, ...result });
    const listing = made ? await list(table) : null;
    // Somebody may have changed it since it was made. That is not taken for ours: it is made again at the next look.
    if (listing === null || isWhole(listing, script)) this.#listed.set(table, listing);
    return made;
  }
}

/**
 * Takes flannel's tables away: for a node that uses iptables, or that goes. Where there is no nft there is nothing to
 * take away.
 * @returns what was done, a line each
 * @throws HostError
 */
export async function removeNftables(): Promise<string[]> {
  const done: string[] = [];
  try {
    for (const table of NFT_TABLES) {
      if ((await list(table)) === "") continue;
      await run("nft", ["delete", "table", table.word, table.name], NO_NFT);
      done.push(`nftables: table ${table.word} ${table.name} is gone`);
    }
  } catch (error) {
    if (!(error instanceof HostError) || error.code !== "HOST_IP_MISSING") throw error;
  }
  return done;
}

/** @returns whether this nft, and this kernel, can masquerade with random ports. @throws HostError */
export async function nftKnowsFullyRandom(): Promise<boolean> {
  const script = [
    "table ip flannel-probe {",
    "\tchain postrtg {",
    "\t\ttype nat hook postrouting priority srcnat;",
    "\t\tmasquerade fully-random",
    "\t}",
    "}",
    "",
  ].join("\n");
  const { status } = await runCommand("nft", ["--check", "-f", "-"], NO_NFT, script);
  return status === 0;
}

/** Whether what nft lists is a table with as many rules as the script has made. */
function isWhole(listing: string, script: string): boolean {
  return listing !== "" && rulesIn(listing) === rulesIn(script);
}

/** Rules in a script, or in what nft lists: each stands on a line of its own. */
function rulesIn(text: string): number {
  return text.split("\n").filter((line) => !/^\s*(#|table |delete |chain |type |\}|$)/.test(line)).length;
}

/** Stateless, as counters are no change. @returns "" where there is no such table. @throws HostError */
async function list({ word, name }: NftTable): Promise<string> {
  const result = await runCommand("nft", ["-s", "list", "table", word, name], NO_NFT);
  if (isForbidden(result.stderr)) throw failure(`nft list table ${word} ${name}`, result);
  return result.status === 0 ? result.stdout : "";
}

function isForbidden(stderr: string): boolean {
  return /Operation not permitted|you must be root/i.test(stderr);
}
