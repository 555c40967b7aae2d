/**
 * The words of `ip neigh`, as people type and paste them: `<address> lladdr <mac> [nud permanent]`, and its output in
 * text and JSON. Pure.
 */
import type { NeighbourChange } from "../dataplane/options.ts";
import type { Neighbour } from "../fdb/neighbours.ts";
import { CliError, EXIT } from "./errors.ts";

/**
 * @param words what follows the verb
 * @throws CliError (usage) that names the word
 */
export function parseNeighbourChange(op: NeighbourChange["op"], words: readonly string[]): NeighbourChange {
  const [address, ...rest] = words;
  if (address === undefined) throw usage(op, "the address is missing");
  let mac: string | undefined;
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i]!;
    // Words that say what every row here is anyway; `ip neigh show` prints the state last, in capitals.
    if (/^permanent$/i.test(word)) continue;
    const value = rest[++i];
    if (word !== "lladdr" && word !== "nud") throw usage(op, `unknown word "${word}"`);
    if (value === undefined) throw usage(op, `"${word}" needs a value`);
    if (word === "lladdr") mac = value;
    else if (value !== "permanent") throw usage(op, "every neighbour here is permanent");
  }
  if (op === "del") return { op, address };
  if (mac === undefined) throw usage(op, "the MAC address is missing: lladdr <mac>");
  return { op, address, mac };
}

function usage(op: NeighbourChange["op"], message: string): CliError {
  const rest = op === "del" ? "<address>" : "<address> lladdr <mac>";
  return new CliError(EXIT.usage, message, `such as: poplin neigh ${op} ${rest}`);
}

/**
 * One line per row, IPv4 first, as `ip neigh show dev` prints it.
 * @param dev the device's name where each line has it, as without `dev`
 */
export function neighbourLines(rows: readonly Neighbour[], dev: string | null = null): string[] {
  const named = dev === null ? "" : `dev ${dev} `;
  return sorted(rows).map(({ address, mac }) => `${address} ${named}lladdr ${mac} PERMANENT`);
}

/** A row as `ip -j neigh show` has it. */
export interface NeighbourJson {
  readonly dst: string;
  readonly dev: string;
  readonly lladdr: string;
  readonly state: readonly string[];
}

/** @param dev the device whose neighbours they are */
export function neighbourJson(rows: readonly Neighbour[], dev: string): NeighbourJson[] {
  return sorted(rows).map(({ address, mac }) => ({ dst: address, dev, lladdr: mac, state: ["PERMANENT"] }));
}

const BY_NUMBER = new Intl.Collator("en", { numeric: true });

function sorted(rows: readonly Neighbour[]): Neighbour[] {
  const six = ({ address }: Neighbour): number => (address.includes(":") ? 1 : 0);
  return [...rows].sort((a, b) => six(a) - six(b) || BY_NUMBER.compare(a.address, b.address));
}
