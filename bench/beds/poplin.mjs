/**
 * Two nodes that run `poplin agent`.
 *
 *   spec.root   the tree whose dist/ is run; this one when left out
 *   spec.args   more arguments for the agent
 *   spec.rows   how many more peers stand in its configuration
 *   spec.lenient   try again without arguments when it does not take them: another commit may not know them
 */
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { ApiClient } from "../../dist/agent/api/client.js";
import { DEVICE, VNI, VXLAN_PORT } from "../../dist/lab/node.js";
import { IPV6 } from "../../dist/lab/plan.js";
import { MTU } from "./kernel.mjs";
import { strangers } from "./rows.mjs";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Milliseconds an agent gets to be ready. */
const READY = 30_000;

export async function start(bed, { root = ROOT, args = [], rows = 0, lenient = false } = {}) {
  bed.addresses();
  try {
    return await startBoth(bed, { root, args, rows });
  } catch (error) {
    if (!lenient || args.length === 0) throw error;
    const note = `it did not take ${args.join(" ")}: ${error.message.split("\n").at(-1)}`;
    const { agents, about } = await startBoth(bed, { root, args: [], rows });
    return { agents, about: async () => ({ note, ...(await about()) }) };
  }
}

async function startBoth(bed, { root, args, rows }) {
  const began = performance.now();
  const nodes = await Promise.all(bed.sides.map((side) => startAgent(bed, side, { root, args, rows })));
  const startSeconds = (performance.now() - began) / 1000;
  const [a, b] = nodes.map(({ child }) => [child.pid]);
  return {
    agents: { a, b },
    about: async () => ({ args, settings: nodes[0].settings, startSeconds, ...(await describe(nodes[0])) }),
  };
}

async function startAgent(bed, { side, host, plan, peer }, { root, args, rows }) {
  const file = (suffix) => bed.lab.file(`${bed.name}-${side}.${suffix}`);
  const settings = {
    vni: VNI,
    device: DEVICE,
    address: IPV6 ? [`${plan.overlay}/32`, `${plan.overlay6}/128`] : `${plan.overlay}/32`,
    mtu: MTU,
    vtepMac: plan.vtepMac,
    local: plan.address,
    port: VXLAN_PORT,
  };
  const peers = [peer, ...strangers(rows)].map((one) => ({
    publicIp: one.address,
    vtepMac: one.vtepMac,
    subnet: IPV6 && one.subnet6 ? [one.subnet, one.subnet6] : one.subnet,
  }));
  const socket = file("sock");
  writeFileSync(file("yaml"), stringify({ ...settings, socket, peers }));
  const log = openSync(file("log"), "a");
  const words = [join(root, "dist/cli/main.js"), "agent", "--config", file("yaml"), ...args];
  // A session of its own, so that Ctrl-C ends it with its lab and not before.
  const child = host.spawn(process.execPath, words, {
    detached: true,
    stdio: ["ignore", log, log],
    env: environment(),
  });
  closeSync(log);
  child.unref();
  const client = new ApiClient(socket);
  await ready(child, client, () => readFileSync(file("log"), "utf8"));
  return { child, client, settings };
}

async function ready(child, client, log) {
  const deadline = Date.now() + READY;
  let last = "it did not answer";
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null) {
    try {
      const { pid, state } = await client.status();
      if (pid === child.pid && state !== "starting") return;
      last = `it says "${state}"`;
    } catch (error) {
      last = error.message;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  if (child.exitCode !== null) last = `it ended with ${child.exitCode}`;
  throw new Error(`poplin agent did not start: ${last}\n${log().trim().split("\n").slice(-6).join("\n")}`);
}

/** What `poplin status -j` says that figures depend on; a slow node can be understood from it. */
async function describe({ client }) {
  try {
    const { version, underlay, offloads, dataplane, policy, device, health } = await client.status();
    const { capabilities, kind, family, receiveBuffer, sendBuffer, warnings, ...more } = underlay;
    const socket = { kind, family, receiveBuffer, sendBuffer, warnings, ...omit(more, ["local", "uplink"]) };
    return {
      version,
      capabilities,
      ...(offloads !== undefined && { offloads }),
      underlay: socket,
      ...{ dataplane, policy, mtu: device.mtu },
      health: health.map(({ level, message }) => `${level}: ${message}`),
    };
  } catch (error) {
    return { problem: error.message };
  }
}

function omit(object, names) {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}

/** The environment without what would configure an agent behind the file's back. */
function environment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("POPLIN_")));
}
