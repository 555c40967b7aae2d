/**
 * The stores that nodes meet in: each takes changes of many leases at once, as flags it is named by to `poplin flanneld`.
 *
 *   prepare(leases)               what needs no node to be done: files are written, elsewhere
 *   put(leases), remove(leases)   in one go each: files moved to their places, a transaction
 */
import { once } from "node:events";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { UNDERLAY } from "../../dist/lab/plan.js";
import { startProcess } from "../beds/process.mjs";
import { NET_CONF } from "./leases.mjs";

const WRITER = fileURLToPath(new URL("./etcd-writer.mjs", import.meta.url));
const PREFIX = "/coreos.com/network";
const PORT = 2379;
/** Changes that a transaction may have: all leases at once. */
const MOST_CHANGES = 10_000;

/** A directory on this machine. */
export function fileStore(lab) {
  const directory = lab.file("store");
  const [subnets, aside] = [join(directory, "subnets"), lab.file("aside")];
  for (const folder of [subnets, aside]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(directory, "config"), NET_CONF);
  return {
    flags: ["--lease-dir", directory],
    prepare(leases) {
      for (const { key, value } of leases) writeFileSync(join(aside, key), value);
    },
    async put(leases) {
      for (const { key } of leases) renameSync(join(aside, key), join(subnets, key));
    },
    async remove(leases) {
      for (const { key } of leases) rmSync(join(subnets, key));
    },
  };
}

/** An etcd of the lab's own, on the machine in the middle of its network. @throws Error where it does not start */
export async function etcdStore(lab, { middle }) {
  middle.ip(`addr add ${UNDERLAY.gateway}/${UNDERLAY.prefix} dev br0`);
  const url = `http://${UNDERLAY.gateway}:${PORT}`;
  const args = ["--data-dir", lab.file("etcd"), "--max-txn-ops", String(MOST_CHANGES)];
  const urls = ["--listen-client-urls", url, "--advertise-client-urls", url];
  await startProcess(
    { lab, name: "cluster", middle },
    "middle",
    "etcd",
    [...args, ...urls],
    /ready to serve/,
  );
  const writer = middle.spawn(process.execPath, [WRITER, url], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(writer, "exit").then(() => Promise.reject(new Error("etcd cannot be written to")));
  ended.catch(() => {}); // it ends with the lab
  const answers = createInterface(writer.stdout)[Symbol.asyncIterator]();
  const change = async (puts, removals) => {
    writer.stdin.write(`${JSON.stringify({ puts, removals })}\n`);
    await Promise.race([answers.next(), ended]);
  };
  const keyOf = ({ key }) => `${PREFIX}/subnets/${key}`;
  await change([[`${PREFIX}/config`, NET_CONF]], []);
  return {
    flags: ["--etcd-endpoints", url],
    prepare() {},
    put: (leases) =>
      change(
        leases.map((lease) => [keyOf(lease), lease.value]),
        [],
      ),
    remove: (leases) => change([], leases.map(keyOf)),
  };
}
