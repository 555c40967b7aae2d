/**
 * A dataplane on its worker thread, and an error in the main thread that nobody catches. Two UDP sockets stand for the
 * TAP and the underlay, so that neither root nor a device is needed.
 */
import { startWorkerEngine } from "../../../dist/agent/engine/worker-engine.js";
import { loadShim, PLAIN_SOCKET } from "../../../dist/io/linux/shim.js";

const options = { ...PLAIN_SOCKET, family: 4, address: "127.0.0.1" };
const tap = { fd: loadShim().udpOpen(options).fd, name: "tap" };
const socket = loadShim().udpOpen(options);
const dataplane = {
  vni: 1,
  mac: "02:00:00:00:00:01",
  mtu: 1450,
  reservedBits: "rfc",
  senderCheck: "off",
  tos: 0,
};
const underlay = { family: 4, checksum: "computed" };
const engine = await startWorkerEngine(
  {},
  { overlays: [{ options: dataplane, tap, logs: null }], socket, underlay, hairpin: null, spin: "off" },
);
console.log(JSON.stringify(await engine.ask({ type: "rows" })));
if (process.argv[2] === "throw") {
  setTimeout(() => {
    throw new Error("nobody catches this");
  }, 50);
} else if (process.argv[2] === "exit") {
  setTimeout(() => process.exit(7), 50);
} else {
  await engine.stop();
  console.log("stopped");
}
