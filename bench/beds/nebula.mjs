/** nebula, which encrypts: layer 3, with a certificate authority of its own; MTU 1440 is what fits. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { startProcess, until, version } from "./process.mjs";

const DEVICE = "nebula0";
const PORT = 4242;
const MTU = 1440;

export async function start(bed) {
  bed.addresses();
  const folder = bed.lab.file(bed.name);
  mkdirSync(folder, { recursive: true });
  const cert = (...args) =>
    execFileSync("nebula-cert", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  cert("ca", "-name", "bench");
  const agents = { a: [], b: [] };
  for (const { side, plan, peer } of bed.sides) {
    cert("sign", "-name", side, "-ip", `${plan.overlay}/16`);
    const path = (file) => join(folder, file);
    const any = [{ port: "any", proto: "any", host: "any" }];
    const settings = {
      pki: { ca: path("ca.crt"), cert: path(`${side}.crt`), key: path(`${side}.key`) },
      static_host_map: { [peer.overlay]: [`${peer.address}:${PORT}`] },
      lighthouse: { am_lighthouse: false, hosts: [] },
      listen: { host: plan.address, port: PORT, batch: 64, read_buffer: 8 << 20, write_buffer: 8 << 20 },
      tun: { dev: DEVICE, mtu: MTU, tx_queue: 1000 },
      firewall: { outbound: any, inbound: any },
      logging: { level: "warning" },
    };
    writeFileSync(path(`${side}.yaml`), stringify(settings));
    const { pid } = await startProcess(bed, side, "nebula", ["-config", path(`${side}.yaml`)], null);
    agents[side].push(pid);
  }
  for (const { host } of bed.sides) {
    const up = async () =>
      (await host.exec("ip", ["link", "show", DEVICE], { check: false })).stdout.includes("LOWER_UP");
    await until("nebula's device", up);
  }
  return { agents, about: async () => ({ version: await version("nebula", ["-version"]) }) };
}
