/**
 * A node of a flannel cluster while 1,000 others join, change their MACs and leave, round by round, over each store: how
 * long until its rows are in place, and what that costs it. The others are leases and nothing else. What is reported fails
 * nothing.
 */
import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { FlannelNode } from "../../dist/lab/flannel-node.js";
import { Lab } from "../../dist/lab/lab.js";
import { switchNetwork } from "../../dist/lab/network.js";
import { leases, macPrefix } from "../cluster/leases.mjs";
import { etcdStore, fileStore } from "../cluster/stores.mjs";
import { processTime, residentMemory } from "../measure/cpu.mjs";
import { growthOf } from "./soak.mjs";

const NODES = 1000;
/** How many leases change at once, by round; and how many rounds there are. */
const PLANS = {
  normal: { sizes: [1000, 100, 10, 1], rounds: 12 },
  quick: { sizes: [1000, 10], rounds: 4 },
};
/** Milliseconds between two bursts. */
const PACE = 5;
/** Milliseconds between two looks at the kernel's rows, and after which they never will be in place. */
const LOOK_EVERY = 50;
const PATIENCE = 120_000;
/** Milliseconds after which a node is at rest: it collects garbage five seconds after many changes (`src/agent/memory.ts`). */
const REST = 7000;

const DEVICE = "flannel.1";

const STORES = [
  { name: "file", program: null, open: fileStore },
  { name: "etcd", program: "etcd", open: etcdStore, install: "apt-get install etcd-server" },
];

/** @returns `{ nodes, stores: [{ name, rounds, memory, flat, growth } or { name, problem }] }` */
export async function cluster({ quick }, progress) {
  const plan = PLANS[quick ? "quick" : "normal"];
  const stores = [];
  for (const { name, program, open, install } of STORES) {
    if (program !== null && !isInstalled(program)) {
      const problem = `there is no ${program}: ${install}`;
      progress.say(`skipped: cluster over ${name}: ${problem}`);
      stores.push({ name, problem });
      continue;
    }
    const lab = Lab.create();
    try {
      stores.push({
        name,
        ...(await overStore(lab, open, plan, (text) => progress.begin(`${name} · ${text}`))),
      });
    } finally {
      lab.destroy();
    }
  }
  return { nodes: NODES, stores };
}

async function overStore(lab, open, { sizes, rounds: count }, say) {
  say("starting");
  const network = switchNetwork(lab);
  const store = await open(lab, network);
  const node = new FlannelNode(lab, network, "node-a", 0, { flags: store.flags });
  await node.start();
  const rest = async () => {
    await pause(REST);
    return residentMemory([node.pid]);
  };
  const before = await rest();
  const rounds = [];
  for (let i = 0; i < count; i++) {
    say(`round ${i + 1} of ${count}`);
    const figures = await round(node, store, sizes[i % sizes.length]);
    rounds.push({ ...figures, rss: await rest() });
  }
  const memory = { before, peak: peakOf(node.pid), after: rounds.at(-1).rss };
  return { rounds, memory, ...growthOf(rounds.map(({ rss }) => rss)) };
}

/** @returns seconds of each step from its first change to the last row, and CPU-seconds per 1,000 changes */
async function round(node, store, size) {
  const [first, moved] = [leases(NODES), leases(NODES, true)];
  const cpu = processTime(node.pid);
  store.prepare(first);
  const join = await timed(node, first, size, store.put, false);
  store.prepare(moved);
  const change = await timed(node, moved, size, store.put, true);
  const leave = await timed(node, moved, size, store.remove, null);
  const used = processTime(node.pid) - cpu;
  return { size, join, change, leave, cpu: used / 3 / (NODES / 1000) };
}

/** @param moved which MACs the rows have in the end; null: there are none */
async function timed(node, all, size, work, moved) {
  const start = performance.now();
  for (let at = 0; at < all.length; at += size) {
    await work(all.slice(at, at + size));
    await pause(PACE);
  }
  while (!(await isInPlace(node, moved))) {
    if (performance.now() - start > PATIENCE)
      throw new Error(`rows are not in place after ${PATIENCE / 1000} s`);
    await pause(LOOK_EVERY);
  }
  return (performance.now() - start) / 1000;
}

/** Asks the kernel first, which costs the node nothing. */
async function isInPlace(node, moved) {
  const wanted = moved === null ? 0 : NODES;
  const mac = macPrefix(moved ?? false);
  const look = `ip -o route show dev ${DEVICE} | wc -l; ip neigh show dev ${DEVICE} nud permanent | grep -c ${mac}`;
  const { stdout } = await node.host.exec("sh", ["-c", look], { check: false });
  if (stdout !== `${wanted}\n${wanted}\n`) return false;
  const rows = await node.client.fdb();
  return rows.length === wanted && rows.every((row) => row.mac.startsWith(mac));
}

/** Bytes: the most that it ever had. */
function peakOf(pid) {
  return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))[1]) * 1024;
}

function isInstalled(program) {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
