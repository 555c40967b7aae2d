/**
 * A dataplane of three overlays on its worker thread, between TAPs of this namespace and 192.0.2.1. Prints a line when it
 * forwards; on the end of its input, the counters of each overlay.
 */
import { startWorkerEngine } from "../../dist/agent/engine/worker-engine.js";
import { loadShim, PLAIN_SOCKET } from "../../dist/io/linux/shim.js";
import { openTap } from "../../dist/io/linux/tap.js";

const socket = loadShim().udpOpen({
  ...PLAIN_SOCKET,
  family: 4,
  address: "192.0.2.1",
  port: 8472,
  receiveBuffer: 4 << 20,
  sendBuffer: 4 << 20,
  gro: true,
});
const policy = { mtu: 1450, reservedBits: "rfc", senderCheck: "strict", tos: 0 };
const overlays = [11, 12, 13].map((vni) => {
  const { fd, name } = openTap(`tap${vni}`);
  const mac = loadShim().tapMac(fd);
  const row = { op: "add", mac: `02:00:00:00:02:${vni}`, address: Uint8Array.of(192, 0, 2, 2), port: 8472 };
  return { options: { ...policy, vni, mac, rows: [row] }, tap: { fd, name }, logs: null };
});
const underlay = { family: 4, checksum: "computed", gso: true };
const engine = await startWorkerEngine({}, { overlays, socket, underlay, hairpin: null, spin: "off" });
console.log("forwarding");
process.stdin.resume();
process.stdin.once("end", async () => {
  console.log(JSON.stringify(overlays.map((_, overlay) => engine.snapshot(overlay))));
  await engine.stop();
});
