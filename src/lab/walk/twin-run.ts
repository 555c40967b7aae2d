/**
 * The process that makes a datagram of the kernel's, in a namespace of its own: a VXLAN device set up as the node whose twin
 * it is, a bridge through which the frame reaches it, and an uplink whose other end is ours.
 *
 *   frame ──▶ TAP in0 ─ br0 ─ vxlan1 ─ UDP, IP ─ TAP wire0 ──▶ datagram
 *
 *   node twin-run.js '{"frame": "…", …}'      prints the datagram in hexadecimal
 */
import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fromHex, hex } from "../../wire/index.ts";
import { ip, TapEnd } from "../tap-end.ts";

export interface TwinOptions {
  /** The inner frame, in hexadecimal. */
  readonly frame: string;
  readonly vni: number;
  readonly port: number;
  /** MTU of the overlay. */
  readonly mtu: number;
  /** The sending node's: MAC of its VTEP, MAC and address (with its prefix length) of its uplink. */
  readonly from: { readonly vtepMac: string; readonly mac: string; readonly address: string };
  /** The receiving node's. */
  readonly to: { readonly vtepMac: string; readonly mac: string; readonly address: string };
}

/** Milliseconds that the kernel gets. */
const PATIENCE = 2000;

const { frame, vni, port, mtu, from, to } = JSON.parse(process.argv[2]!) as TwinOptions;
const uplink = new TapEnd("wire0", from.mac);
ip("address", "add", from.address, "dev", "wire0");
ip("neigh", "add", to.address, "lladdr", to.mac, "dev", "wire0");
const numbers = ["id", String(vni), "dstport", String(port), "local", from.address.split("/")[0]!];
ip(
  "link",
  "add",
  "vxlan1",
  "address",
  from.vtepMac,
  "mtu",
  String(mtu),
  "type",
  "vxlan",
  ...numbers,
  "nolearning",
);
ip("link", "add", "br0", "type", "bridge", "mcast_snooping", "0");
const inside = new TapEnd("in0");
for (const name of ["in0", "vxlan1"]) ip("link", "set", name, "master", "br0");
for (const name of ["vxlan1", "br0"]) ip("link", "set", name, "addrgenmode", "none");
for (const name of ["vxlan1", "br0"]) ip("link", "set", name, "up");
bridgeRow();

const end = performance.now() + PATIENCE;
let datagram: Uint8Array | undefined;
do {
  // Again and again: a bridge's port forwards a moment after it is switched on.
  inside.write(fromHex(frame));
  await sleep(10);
  datagram = uplink.read().find((bytes) => hex(bytes).endsWith(frame));
} while (datagram === undefined && performance.now() < end);
if (datagram === undefined) throw new Error("the kernel sent nothing");
process.stdout.write(`${hex(datagram)}\n`);

/** The row by which the frame's destination is behind the other node. */
function bridgeRow(): void {
  execFileSync("bridge", [
    "fdb",
    "append",
    to.vtepMac,
    "dev",
    "vxlan1",
    "dst",
    to.address,
    "self",
    "permanent",
  ]);
}
