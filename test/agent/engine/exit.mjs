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
} else if (process.argv[2] === "probe") {
  // Whatever is asked for meanwhile, and whenever: no counter ever has the probe's frame in it.
  const seen = new Set();
  const verdicts = new Set();
  for (let i = 0; i < 300; i++) {
    let over = false;
    const probes = [engine.ask({ type: "probe" }), engine.ask({ type: "probe", overlay: 0 })];
    void Promise.all(probes).then((all) => {
      over = true;
      for (const one of all) verdicts.add(JSON.stringify(one));
    });
    while (!over) {
      const { txFrames, rxFrames, txBytes } = engine.snapshot();
      seen.add(`${txFrames} ${rxFrames} ${txBytes}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  console.log(JSON.stringify([[...verdicts], [...seen]]));
  await engine.stop();
} else {
  await engine.stop();
  console.log("stopped");
}
