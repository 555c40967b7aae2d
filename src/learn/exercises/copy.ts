/** A copy of some megabytes from host to host by TCP, as one who waits for it sees it: it arrives, or it hangs. */
import { once } from "node:events";
import type { Host } from "../../lab/host.ts";

/** Bytes; and milliseconds in which they are there, or something is wrong. */
const BYTES = 2_000_000;
const PATIENCE = 3000;

const SERVER = `
require("node:net").createServer((socket) => {
  let bytes = 0;
  socket.on("data", (chunk) => { bytes += chunk.length; if (bytes === ${BYTES}) socket.end("all"); });
  socket.on("error", () => {});
}).listen(5000, "0.0.0.0", () => console.log("ready"));`;

const CLIENT = `
const socket = require("node:net").connect(5000, process.argv[1], () => socket.write(Buffer.alloc(${BYTES})));
socket.on("data", () => process.exit(0)).on("error", () => process.exit(1));
setTimeout(() => process.exit(1), ${PATIENCE});`;

/** @param address of `to`. @returns whether it has arrived in time */
export async function copies(from: Host, to: Host, address: string): Promise<boolean> {
  const server = to.spawn(process.execPath, ["-e", SERVER], { stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(server, "close");
  try {
    await once(server.stdout!, "data");
    const { status } = await from.exec(process.execPath, ["-e", CLIENT, address], { check: false });
    return status === 0;
  } finally {
    server.kill("SIGKILL");
    await ended;
  }
}
