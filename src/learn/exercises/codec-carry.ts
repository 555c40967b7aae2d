/**
 * A node whose VXLAN is the learner's: a TAP, a UDP socket, and between them his `encode` and `decode`. It ends when one of
 * them throws, and its last words are on standard error.
 *
 *   node codec-carry.js codec.mjs PEER
 */
import { createSocket } from "node:dgram";
import { pathToFileURL } from "node:url";
import { TapEnd } from "../../lab/tap-end.ts";
import { VXLAN_PORT_LINUX } from "../../wire/index.ts";

interface Codec {
  encode(vni: number, frame: Uint8Array): Uint8Array;
  decode(datagram: Uint8Array): { vni: number; frame: Uint8Array } | null;
}

const VNI = 0x123456;
/** Milliseconds. */
const POLL = 2;

const [path, peer] = process.argv.slice(2) as [string, string];
const codec = (await import(pathToFileURL(path).href)) as Codec;
const tap = new TapEnd("vxlan0");
const socket = createSocket("udp4");
socket.on("message", (datagram) => {
  const decoded = codec.decode(new Uint8Array(datagram));
  if (decoded?.vni === VNI) tap.write(decoded.frame);
});
socket.bind(VXLAN_PORT_LINUX, () => process.send!("ready"));
setInterval(() => {
  for (const frame of tap.read()) socket.send(codec.encode(VNI, frame), VXLAN_PORT_LINUX, peer);
}, POLL);
