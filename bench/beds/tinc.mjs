/** tinc without cipher, digest and compression: layer 3, so that it does no more than a VXLAN does. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startProcess, version } from "./process.mjs";

const DEVICE = "tinc0";
const MTU = 1430;
const HOST = ["Cipher = none", "Digest = none", "Compression = 0", "ClampMSS = yes", "PMTUDiscovery = yes"];

export async function start(bed) {
  bed.addresses();
  const folders = Object.fromEntries(
    bed.sides.map(({ side }) => [side, bed.lab.file(`${bed.name}-${side}`)]),
  );
  for (const { side, plan } of bed.sides) {
    const folder = folders[side];
    mkdirSync(join(folder, "hosts"), { recursive: true });
    writeFileSync(
      join(folder, "hosts", side),
      `${["Subnet = ", "Address = "].map((word, i) => word + [plan.subnet, plan.address][i]).join("\n")}\n${HOST.join("\n")}\n`,
    );
    const lines = [`Name = ${side}`, "DeviceType = tun", `Interface = ${DEVICE}`, "Mode = router"];
    if (side === "a") lines.push("ConnectTo = b");
    writeFileSync(join(folder, "tinc.conf"), `${lines.join("\n")}\n`);
    // Appends the public key to the host's file.
    execFileSync("tincd", ["-c", folder, "-K", "2048"], { stdio: ["ignore", "ignore", "ignore"] });
  }
  for (const [of, at] of [
    ["a", "b"],
    ["b", "a"],
  ])
    writeFileSync(join(folders[at], "hosts", of), readFileSync(join(folders[of], "hosts", of)));
  const agents = { a: [], b: [] };
  // The one that is connected to comes first.
  for (const side of ["b", "a"]) {
    const args = ["-c", folders[side], "-D", `--pidfile=${join(folders[side], "pid")}`];
    agents[side].push((await startProcess(bed, side, "tincd", args, /Ready/)).pid);
  }
  bed.routes(DEVICE, MTU);
  return { agents, about: async () => ({ version: await version("tincd", ["--version"]) }) };
}
