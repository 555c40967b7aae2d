/**
 * wireguard-go, which encrypts: layer 3, MTU 1420 as wg-quick has it. It is configured over its socket
 * (https://www.wireguard.com/xplatform/), so `wg` is not needed. Its socket has a fixed place in the file system; each
 * process gets a /run of its own, which we reach through /proc/<pid>/root.
 */
import { generateKeyPairSync } from "node:crypto";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { startProcess, until, version } from "./process.mjs";

const DEVICE = "wg0";
const PORT = 51_820;
const MTU = 1420;

export async function start(bed) {
  bed.addresses();
  const keys = { a: keyPair(), b: keyPair() };
  const agents = { a: [], b: [] };
  for (const { side, peer } of bed.sides) {
    const script = `mount -t tmpfs tmpfs /run && exec wireguard-go -f ${DEVICE}`;
    // It warns in a box that the kernel has WireGuard, too, unless it is told to go on.
    const env = { ...process.env, WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD: "1", LOG_LEVEL: "error" };
    const { pid } = await startProcess(bed, side, "sh", ["-c", script], null, { env });
    agents[side].push(pid);
    // The path is through the process: nothing of ours is in this machine's /run.
    const socket = `/proc/${pid}/root/run/wireguard/${DEVICE}.sock`;
    await until("wireguard-go's socket", () => existsSync(socket));
    await configure(socket, [
      `private_key=${keys[side].secret}`,
      `listen_port=${PORT}`,
      `public_key=${keys[side === "a" ? "b" : "a"].open}`,
      `endpoint=${peer.address}:${PORT}`,
      `allowed_ip=${peer.subnet}`,
    ]);
  }
  bed.routes(DEVICE, MTU);
  return { agents, about: async () => ({ version: await version("wireguard-go", ["--version"]) }) };
}

/** X25519 keys in hexadecimal. */
function keyPair() {
  const { publicKey, privateKey } = generateKeyPairSync("x25519");
  const hex = (text) => Buffer.from(text, "base64url").toString("hex");
  return {
    open: hex(publicKey.export({ format: "jwk" }).x),
    secret: hex(privateKey.export({ format: "jwk" }).d),
  };
}

function configure(path, lines) {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let answer = "";
    socket.setEncoding("utf8").on("data", (text) => {
      answer += text;
      if (!answer.endsWith("\n\n")) return;
      socket.end();
      if (answer.includes("errno=0\n")) resolve();
      else reject(new Error(`wireguard-go said ${answer.trim()}`));
    });
    socket.on("error", reject);
    socket.write(`set=1\n${lines.join("\n")}\n\n`);
  });
}
