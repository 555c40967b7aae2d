/**
 * The Backend of net-conf.json, which is VXLAN here: its options on Linux (`pkg/backend/vxlan/vxlan.go`), and what is said
 * of those that will not be as they say.
 */
import type { Family } from "../address.ts";
import { type FieldReader, type Fields, fieldsOf, type Problem } from "./fields.ts";

export interface VxlanBackend {
  readonly vni: number;
  /** UDP port; the kernel's default where nothing is said. */
  readonly port: number;
  /** MTU of the underlay, from which the overlay's follows; null: the uplink's. */
  readonly mtu: number | null;
  readonly gbp: boolean;
  readonly learning: boolean;
  readonly directRouting: boolean;
}

/** The port of Linux's VXLAN, older than IANA's 4789 (drivers/net/vxlan: `vxlan_port`). */
const LINUX_PORT = 8472;
/** What flannel takes off an MTU for the outer headers (its `encapOverhead`). */
const OVERHEAD = 50;
/** The least MTU of a device: of Ethernet (ETH_MIN_MTU), and of IPv6 (RFC 8200 section 5). */
const LEAST_MTU: Readonly<Record<Family, number>> = { 4: 68, 6: 1280 };

/**
 * @param fields of the whole file
 * @param family the one that asks for more of an MTU
 * @param warnings to which is added what will not be as it says, though the node works
 * @returns null where there is none, or another
 */
export function readBackend(
  fields: Fields,
  family: Family,
  reader: FieldReader,
  warnings: Problem[],
): VxlanBackend | null {
  const given = fields.get("backend") ?? null;
  const backend = fieldsOf(given);
  if (backend === null) {
    const remedy = 'write "Backend": {"Type": "vxlan"}';
    if (given === null) reader.problem("there is no Backend", `${remedy}; without it flannel's is "udp"`);
    else reader.problem("Backend is no JSON object", remedy);
    return null;
  }
  const type = reader.text(backend, "Type", "Backend.");
  if (type.toLowerCase() !== "vxlan") {
    const message =
      type === "" ? "Backend has no Type" : `the backend type "${type.slice(0, 40)}" is none of ours`;
    reader.problem(
      message,
      'poplin is a VXLAN node: write "Type": "vxlan", or run flanneld for other backends',
    );
    return null;
  }
  const number = (key: string, fallback: number, most: number): number =>
    reader.number(backend, key, fallback, most, "Backend.");
  const flag = (key: string): boolean => reader.flag(backend, key, false, "Backend.");
  const vxlan: VxlanBackend = {
    vni: number("VNI", 1, 2 ** 24 - 1),
    port: number("Port", 0, 65_535) || LINUX_PORT,
    mtu: number("MTU", 0, 65_535) || null,
    gbp: flag("GBP"),
    learning: flag("Learning"),
    directRouting: flag("DirectRouting"),
  };
  checkMtu(vxlan.mtu, family, reader);
  for (const [key, warning] of WINDOWS_ONLY) if (backend.has(key)) warnings.push(warning);
  if (vxlan.gbp) warnings.push(GBP);
  return vxlan;
}

function checkMtu(mtu: number | null, family: Family, reader: FieldReader): void {
  const least = LEAST_MTU[family] + OVERHEAD;
  if (mtu === null || mtu >= least) return;
  const why = `the overlay's is ${OVERHEAD} less, and IPv${family} needs ${LEAST_MTU[family]}`;
  reader.problem(`Backend.MTU ${mtu} is too small: ${why}`, `write at least ${least}, or leave it out`);
}

/** Of `vxlan_windows.go`. A cluster with nodes of both kinds has one file for all, so they stop no node. */
const WINDOWS_ONLY: ReadonlyMap<string, Problem> = new Map([
  ["name", forWindows("Name", "on Linux the device is called flannel.VNI")],
  ["macprefix", forWindows("MacPrefix", "on Linux the MAC is random, or the one that this node had before")],
]);

function forWindows(key: string, remedy: string): Problem {
  return { message: `Backend.${key} is for Windows nodes, and is ignored here`, remedy };
}

const GBP: Problem = {
  message:
    "Backend.GBP is on, but a TAP carries no socket mark: packets with a group policy are taken in, but their mark is lost, and none is put on packets that leave",
  remedy: "where policy goes by the mark, keep the kernel's VXLAN on this node",
};
