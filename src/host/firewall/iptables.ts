/**
 * Rules for iptables, kept as they should be. Read chain by chain, and put right with one `iptables-restore --noflush`
 * per family, in which each table is taken whole or not at all. What others have in the same tables is not touched.
 *
 * One look is two `iptables -S CHAIN` for each table. With kube-proxy's 20,000 rules in the table nat, on two cores at
 * 6.18 (milliseconds; an empty table takes 3):
 *
 *                         -S CHAIN    save -t nat    save -t filter
 *   iptables-nft 1.8.9        3           650             180
 *   iptables-legacy 1.8.9    46            60               3
 *
 * A saved filter is as slow with iptables-nft, since that reads the rules of all tables first.
 */
import { HostError, runCommand } from "../command.ts";
import {
  asTable,
  CHAINS,
  type ChainPlace,
  chainLines,
  iptablesChains,
  type OwnChain,
  parseRules,
  type SavedTable,
  wipeLines,
} from "./iptables-rules.ts";
import { failure, NO_IPTABLES, run } from "./run.ts";
import type { Firewall, FirewallWish, Masqueraded } from "./wish.ts";

const PROGRAMS = { 4: "iptables", 6: "ip6tables" } as const;
type Family = keyof typeof PROGRAMS;
const FAMILIES = [4, 6] as const;

/** How long to wait for the lock of iptables-legacy: a restore of all of kube-proxy's rules takes a second or two. */
const WAIT_SECONDS = 10;
/** Reading and changing are two steps: a rule may go between them, and then the change as a whole is refused. */
const ATTEMPTS = 3;

/** Rules for iptables, in flannel's chains. */
export class IptablesFirewall implements Firewall {
  readonly #chains: readonly (readonly [Family, OwnChain])[];
  readonly #wait: readonly string[];
  /** Chains in which nothing of ours is wanted are looked at once, for what an earlier run left. */
  #first = true;

  /**
   * @param former networks that this node had before, and has no more: their rules go
   * @param isNew whether this is iptables 1.6.2 or later (`isNewEnough`)
   */
  constructor(wish: FirewallWish, former: readonly Masqueraded[] = [], isNew = true) {
    const families = FAMILIES.filter((family) =>
      [...wish.networks, ...former].some((one) => one.family === family),
    );
    this.#chains = families.flatMap((family) =>
      iptablesChains(family, wish, former).map((chain) => [family, chain] as const),
    );
    this.#wait = waitOf(isNew);
  }

  async ensure(): Promise<string[]> {
    const done: string[] = [];
    for (const family of FAMILIES) {
      const chains = this.#chains
        .filter(([one, { rules }]) => one === family && (this.#first || rules.length > 0))
        .map(([, chain]) => chain);
      const changes = await this.#putRight(family, chains);
      if (changes > 0) done.push(`${PROGRAMS[family]}: ${changes} changes to flannel's rules`);
    }
    this.#first = false;
    return done;
  }

  /** @returns how many lines it took */
  async #putRight(family: Family, chains: readonly OwnChain[]): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      const tables: string[][] = [];
      for (const own of chains) {
        // Where nothing is wanted, a machine may have no iptables at all, or no such table.
        const saved = await read(family, own, this.#wait, own.rules.length > 0);
        const lines = saved === null ? [] : chainLines(own, saved);
        if (lines.length > 0) tables.push([own.table, ...lines]);
      }
      try {
        await restore(family, tables, this.#wait);
        return tables.reduce((sum, lines) => sum + lines.length - 1, 0);
      } catch (error) {
        if (attempt === ATTEMPTS || !isRefused(error)) throw error;
      }
    }
  }
}

/**
 * Takes flannel's chains away, whoever's rules they hold: for a node that uses nftables, or that goes. Where there is no
 * iptables, or no such table, there is nothing to take away.
 * @returns what was done, a line each
 * @throws HostError
 */
export async function removeIptables(): Promise<string[]> {
  const version = await readVersion();
  if (version === null) return [];
  const wait = waitOf(isNewEnough(version));
  const done: string[] = [];
  for (const family of FAMILIES) {
    const tables: string[][] = [];
    for (const place of CHAINS) {
      const saved = await read(family, place, wait, false);
      const lines = saved === null ? [] : wipeLines(place, saved);
      if (lines.length > 0) tables.push([place.table, ...lines]);
    }
    await restore(family, tables, wait);
    if (tables.length > 0) done.push(`${PROGRAMS[family]}: flannel's chains are gone`);
  }
  return done;
}

/** @returns what `iptables --version` prints; null where there is no iptables. @throws HostError */
export async function readVersion(): Promise<string | null> {
  try {
    return await run("iptables", ["--version"], NO_IPTABLES);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/**
 * @param text "iptables v1.8.9 (nf_tables)"
 * @returns whether it is 1.6.2 or later: knows --random-fully, and `iptables-restore --wait`
 */
export function isNewEnough(text: string): boolean {
  const [major = 0, minor = 0, patch = 0] = (/v(\d+)\.(\d+)(?:\.(\d+))?/.exec(text) ?? [])
    .slice(1)
    .map((digits) => Number(digits ?? 0));
  return major * 1e6 + minor * 1e3 + patch >= 1_006_002;
}

function waitOf(isNew: boolean): readonly string[] {
  return isNew ? ["--wait", String(WAIT_SECONDS)] : [];
}

/**
 * Reads a chain of ours and the one that jumps to it.
 * @param needed false: null where this iptables has no such table, or is not there
 * @throws HostError
 */
async function read(
  family: Family,
  { table, chain, from }: ChainPlace,
  wait: readonly string[],
  needed: boolean,
): Promise<SavedTable | null> {
  const list = (...chains: string[]) =>
    runCommand(PROGRAMS[family], [...wait, "-t", table, "-S", ...chains], NO_IPTABLES);
  try {
    const outer = await list(from);
    if (outer.status !== 0) throw failure(`${PROGRAMS[family]} -t ${table} -S ${from}`, outer);
    const inner = await list(chain);
    if (inner.status === 0) return parseRules(`${outer.stdout}\n${inner.stdout}`);
    // Most likely there is no such chain, which iptables says in many ways; the whole table tells for sure.
    const whole = await list();
    if (whole.status !== 0) throw failure(`${PROGRAMS[family]} -t ${table} -S`, whole);
    return parseRules(whole.stdout);
  } catch (error) {
    if (!needed && (isMissing(error) || isRefused(error))) return null;
    throw error;
  }
}

async function restore(
  family: Family,
  tables: readonly (readonly string[])[],
  wait: readonly string[],
): Promise<void> {
  if (tables.length === 0) return;
  const input = tables.map(([table = "", ...lines]) => asTable(table, lines)).join("");
  await run(`${PROGRAMS[family]}-restore`, ["--noflush", ...wait], NO_IPTABLES, input);
}

function isMissing(error: unknown): boolean {
  return error instanceof HostError && error.code === "HOST_IP_MISSING";
}

/** iptables itself said no: not for want of rights, and not because it waited in vain, which comes with a remedy. */
function isRefused(error: unknown): boolean {
  return error instanceof HostError && error.code === "HOST_FIREWALL" && error.remedy === "";
}
