/**
 * The words of `bridge fdb`, as people type and paste them: `<mac> dst <ip> [port <n>] [self] [permanent]`, and its
 * output in text and JSON. Pure.
 */
import {
  type AgentStatus,
  carrierOf,
  type OverlayStatus,
  type PeerStatus,
} from "../agent/api/status-types.ts";
import type { FdbChange, FdbRow, LearnedRow } from "../dataplane/options.ts";
import { CliError, EXIT } from "./errors.ts";

/** The device the rows belong to, as far as a listing needs it. */
export interface FdbDevice {
  readonly name: string;
  readonly vni: number;
  readonly port: number;
  /** In a flannel cluster the leases that rows are there for, by the row's MAC. */
  readonly leases: ReadonlyMap<string, RowLease>;
}

/** The lease of a peer, and since when it is known. */
export type RowLease = NonNullable<PeerStatus["lease"]>;

export function deviceOf(status: AgentStatus, overlay: OverlayStatus = status): FdbDevice {
  const { device, peers } = overlay;
  const { port } = carrierOf(status, overlay) ?? status.underlay;
  const leases = peers.flatMap(({ vtepMac, lease }) => (lease === null ? [] : [[vtepMac, lease] as const]));
  return { name: device.name, vni: device.vni, port, leases: new Map(leases) };
}

/** Words that say what every row here is anyway. */
const IMPLIED = new Set(["self", "permanent", "static"]);

/**
 * @param words what follows the verb
 * @throws CliError (usage) that names the word
 */
export function parseChange(op: FdbChange["op"], words: readonly string[]): FdbChange {
  const [mac, ...rest] = words;
  if (mac === undefined) throw usage(op, "the MAC address is missing");
  let dst: string | undefined;
  let port: number | undefined;
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i]!;
    if (IMPLIED.has(word)) continue;
    const value = rest[++i];
    if (word === "lease") continue; // of a line that was pasted: whose row it is, is for the store to say
    if (word !== "dst" && word !== "port") throw usage(op, `unknown word "${word}"`);
    if (value === undefined) throw usage(op, `"${word}" needs a value`);
    if (word === "dst") dst = value;
    else port = portOf(op, value);
  }
  if (dst === undefined && port !== undefined && op === "del") {
    throw usage(op, "`port` is a VTEP's: say which with `dst`");
  }
  if (dst === undefined && op !== "del") throw usage(op, "the VTEP's address is missing: dst <ip>");
  return { op, mac, ...(dst === undefined ? {} : { dst }), ...(port === undefined ? {} : { port }) };
}

function portOf(op: FdbChange["op"], text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw usage(op, `"${text}" is no UDP port`);
  return port;
}

function usage(op: FdbChange["op"], message: string): CliError {
  const rest = op === "del" ? "<mac> [dst <ip> [port <n>]]" : "<mac> dst <ip> [port <n>]";
  return new CliError(EXIT.usage, message, `such as: poplin fdb ${op} ${rest}`);
}

/**
 * One line per row, by MAC; VNI and port only where they are not the device's, as `bridge fdb show dev` does; behind all
 * that the lease that the row is there for.
 * @param named whether each line names the device, as `bridge fdb show` without one does
 */
export function fdbLines(rows: readonly FdbRow[], device: FdbDevice, named = false): string[] {
  return sorted(rows).map((row) => {
    const words = [row.mac, ...(named ? ["dev", device.name] : []), "dst", row.dst];
    if (row.port !== device.port) words.push("port", String(row.port));
    if (row.vni !== device.vni) words.push("vni", String(row.vni));
    const lease = device.leases.get(row.mac);
    return [...words, "self", row.state, ...(lease === undefined ? [] : ["lease", lease.key])].join(" ");
  });
}

/** A row as `bridge -j fdb show` has it, the VNI and the port always with it. */
export interface FdbJson {
  readonly mac: string;
  readonly ifname: string;
  readonly dst: string;
  readonly port: number;
  readonly vni: number;
  readonly flags: readonly string[];
  readonly state: string;
  /** Of a learned row: how old it is, in seconds, and how often it has moved. */
  readonly learned?: LearnedRow;
  readonly lease?: RowLease;
}

export function fdbJson(rows: readonly FdbRow[], device: FdbDevice): FdbJson[] {
  return sorted(rows).map((row) => {
    const lease = device.leases.get(row.mac);
    return {
      mac: row.mac,
      ifname: device.name,
      dst: row.dst,
      port: row.port,
      vni: row.vni,
      flags: ["self"],
      state: row.state,
      ...(row.learned === undefined ? {} : { learned: row.learned }),
      ...(lease === undefined ? {} : { lease }),
    };
  });
}

function sorted(rows: readonly FdbRow[]): FdbRow[] {
  return [...rows].sort((a, b) => a.vni - b.vni || (a.mac < b.mac ? -1 : 1));
}
