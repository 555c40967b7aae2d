/**
 * Five thousand nodes that join at once, while two pods talk: every row is right, no packet is lost. How long it takes
 * depends on the machine, so it is said, and no bar.
 */
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { loadavg } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, it } from "vitest";
import type { FlannelNode } from "../../../src/lab/flannel-node.ts";
import { KernelNode } from "../../../src/lab/kernel-node.ts";
import { planNode, podAddress, UNDERLAY } from "../../../src/lab/plan.ts";
import { describeWith, lab, optionalPackage, tool } from "../../helpers/needs.ts";
import { EtcdServer } from "../../stores/etcd/server.ts";
import { megabytes, memoryOf, until } from "../agents.ts";
import { Pinger } from "../traffic/ping.ts";
import { DirectoryLab, FlannelLab, keyOf } from "./cluster.ts";

const MANY = 5000;
/** Room for all of them: 32,768 subnets. */
const CONF = { Network: "10.128.0.0/9", Backend: { Type: "vxlan" } };
const PREFIX = "/coreos.com/network";
/** Milliseconds after which rows that are not in place never will be: a busy machine needs a fraction of it. */
const PATIENCE = 120_000;

/** A node that is known by its lease alone. */
interface Peer {
  readonly key: string;
  readonly network: string;
  readonly mac: string;
  readonly publicIp: string;
  readonly lease: string;
}

/** Subnets from 10.192.0.0 on: a node picks one of the first hundred. */
function peer(i: number, mac = "02:00:00:00"): Peer {
  const network = `10.${192 + (i >> 8)}.${i & 255}.0`;
  const hex = [i >> 8, i & 255].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
  const publicIp = `198.18.${i >> 8}.${i & 255}`;
  const [key, own] = [`${network}-24`, `${mac}:${hex}`];
  const data = { VNI: 1, VtepMAC: own };
  const lease = { PublicIP: publicIp, PublicIPv6: null, BackendType: "vxlan", BackendData: data };
  return { key, network, mac: own, publicIp, lease: JSON.stringify(lease) };
}

const PEERS = Array.from({ length: MANY }, (_, i) => peer(i));
const MOVED = Array.from({ length: MANY }, (_, i) => peer(i, "02:00:00:01"));

let end: () => unknown = () => {};
afterEach(() => end());

/** What a node's kernel and dataplane have for nodes that are not real, in the order of the addresses. */
async function rowsOf(node: FlannelNode): Promise<string[]> {
  const ask = async (...words: string[]) => (await node.host.exec("ip", words)).stdout;
  const routes = await ask("-o", "route", "show", "dev", "flannel.1");
  const neighbours = await ask("neigh", "show", "dev", "flannel.1", "nud", "permanent");
  const via = new Map(
    [...routes.matchAll(/^(\S+)\/24 via (\S+)/gm)].map(([, dst, gateway]) => [dst!, gateway!]),
  );
  const macs = new Map([...neighbours.matchAll(/^(\S+) lladdr (\S+)/gm)].map(([, at, mac]) => [at!, mac!]));
  const vteps = new Map((await node.client.fdb()).map(({ mac, dst }) => [mac, dst]));
  return [...new Set([...via.keys(), ...macs.keys()])]
    .filter((network) => network !== KERNEL.plan.overlay)
    .map(
      (network) =>
        `${network} via ${via.get(network)} lladdr ${macs.get(network)} at ${vteps.get(macs.get(network) ?? "")}`,
    )
    .sort();
}

function wanted(peers: readonly Peer[]): string[] {
  return peers
    .map(({ network, mac, publicIp }) => `${network} via ${network} lladdr ${mac} at ${publicIp}`)
    .sort();
}

/** A line of sh: sets n to the number of IPv4 routes, whoever's. To list them again and again would take half of a CPU. */
const COUNT = "n=; while read -r a b; do [ $a$n = Prefixes: ] && n=$b; done < /proc/net/fib_triestat";

/** @returns what waits until there are so many more routes than now: the last rows that are made */
async function routesFrom(node: FlannelNode): Promise<(more: number) => Promise<void>> {
  const { stdout } = await node.host.exec("sh", ["-c", `${COUNT}; echo $n`]);
  return async (more) => {
    const wait = `${COUNT}; while [ $n -ne ${Number(stdout) + more} ]; do sleep 0.02; ${COUNT}; done; true`;
    await node.host.exec("timeout", [String(PATIENCE / 1000), "sh", "-c", wait]);
  };
}

/** Does something, waits for what `done` says, and tells what that took: seconds, CPU of the agent, its memory. */
async function timed(what: string, node: FlannelNode, work: () => Promise<void>): Promise<void> {
  const [since, before] = [performance.now(), cpuOf(node.pid)];
  await work();
  const seconds = ((performance.now() - since) / 1000).toFixed(2);
  const cpu = (cpuOf(node.pid) - before).toFixed(2);
  const { rss, peak } = memoryOf(node.pid);
  const load = loadavg()[0]!.toFixed(1);
  console.log(
    `${what}: ${seconds} s, ${cpu} s of CPU, ${megabytes(rss)} MB now and ${megabytes(peak)} at most, load ${load}`,
  );
}

/** The node opposite is the kernel's: it does nothing about the others, and takes no time from the one that is looked at. */
const KERNEL = (() => {
  const plan = planNode("node-k", 28, { pods: 30 });
  const data = { VNI: 1, VtepMAC: plan.vtepMac };
  const lease = { PublicIP: plan.address, PublicIPv6: null, BackendType: "vxlan", BackendData: data };
  return { plan, key: plan.subnet.replace("/", "-"), lease: JSON.stringify(lease) };
})();
const POD = podAddress(KERNEL.plan).v4;

/** Starts both nodes. */
async function withKernel({ lab, network }: FlannelLab, a: FlannelNode): Promise<void> {
  const k = new KernelNode(lab, network, KERNEL.plan, { family: 4, mtu: 1450, ipv6: false });
  await a.start();
  const subnet = keyOf(a).replace("-", "/");
  const { mac } = (await a.status()).device;
  await k.start([{ ...a.plan, subnet, overlay: subnet.replace("/24", ""), vtepMac: mac }]);
  await until("the peer", async () => (await a.status()).peers.some(({ state }) => state === "ok"));
}

/** A way to have leases in a store. */
interface Stage {
  /** @returns what puts them there */
  prepare(peers: readonly Peer[]): Promise<() => void | Promise<void>>;
  remove(peers: readonly Peer[]): Promise<void>;
}

/** Everything happens to a node whose pod pings one behind the kernel's VXLAN. */
async function theyComeAndGo(a: FlannelNode, stage: Stage): Promise<void> {
  const ping = new Pinger(a.pod, POD, { interval: 0.01 });
  await ping.next();
  const moreRoutes = await routesFrom(a);
  const join = await stage.prepare(PEERS);
  await timed(`${MANY} join`, a, async () => {
    await join();
    await moreRoutes(MANY);
  });
  expect(await rowsOf(a)).toEqual(wanted(PEERS));
  await timed("a look that finds nothing to do", a, async () => {
    expect(await a.client.reconcile()).toBe(0);
  });
  await timed("status", a, async () => {
    expect((await a.status()).peers.filter(({ state }) => state === "ok")).toHaveLength(MANY + 1);
  });
  const change = await stage.prepare(MOVED);
  await timed(`${MANY} change their MACs`, a, async () => {
    await change();
    await until("the last row", async () => (await a.client.fdb()).filter(isMoved).length === MANY, PATIENCE);
    await until("the end of the change", async () => (await a.client.plan()).length === 0, PATIENCE);
  });
  expect(await rowsOf(a)).toEqual(wanted(MOVED));
  await timed(`${MANY} leave`, a, async () => {
    await stage.remove(MOVED);
    await moreRoutes(0);
  });
  expect(await rowsOf(a)).toEqual([]);
  expect((await a.client.fdb()).length).toBe(1);
  const pauses = ping.replies.slice(1).map(({ at }, i) => at - ping.replies[i]!.at);
  console.log(`${ping.replies.length} pings, the longest pause ${Math.round(Math.max(...pauses))} ms`);
  expect((await ping.stop()).lost).toEqual([]);
}

async function shell(command: string): Promise<void> {
  await promisify(execFile)("sh", ["-c", command]);
}

function isMoved({ mac }: { readonly mac: string }): boolean {
  return mac.startsWith("02:00:00:01:");
}

/** Seconds of CPU that a process has taken so far (proc(5): utime and stime, in ticks of 10 ms). */
function cpuOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const NEEDS = [lab(), tool("ping"), tool("iptables")];

describeWith(NEEDS, "a node that meets the others in a directory", () => {
  it(`follows ${MANY} that join at once, change their MACs and leave, and loses no packet`, async () => {
    const cluster = new DirectoryLab(CONF);
    end = () => cluster.destroy();
    cluster.write(KERNEL.key, KERNEL.lease);
    const a = cluster.node("node-a");
    await withKernel(cluster, a);
    const aside = cluster.lab.file("aside");
    mkdirSync(aside);
    const subnets = join(cluster.directory, "subnets");
    await theyComeAndGo(a, {
      prepare: async (peers) => {
        // Nor here nor below at one go: a disk may be slow, and ping stops when nobody hears what it says.
        for (const one of peers) await writeFile(join(aside, one.key), one.lease);
        return () => shell(`cd ${aside} && mv -f * ${subnets}`);
      },
      // All of theirs, and none of the two nodes'.
      remove: () => shell(`cd ${subnets} && rm 10.19[2-9].* 10.2[01]?.*`),
    });
  }, 300_000);
});

describeWith(
  [...NEEDS, tool("etcd"), optionalPackage("etcd3")],
  "a node that meets the others in etcd",
  () => {
    it(`follows ${MANY} that join at once, change their MACs and leave, and loses no packet`, async () => {
      const cluster = new FlannelLab();
      end = () => cluster.destroy();
      const { middle } = cluster.network;
      middle.ip(`addr add ${UNDERLAY.gateway}/${UNDERLAY.prefix} dev br0`);
      const etcd = await EtcdServer.start({
        address: UNDERLAY.gateway,
        wrapper: ["ip", "netns", "exec", middle.namespace],
        args: ["--max-txn-ops", String(MANY)],
      });
      end = async () => {
        await etcd.close();
        cluster.destroy();
      };
      await etcd.etcdctl("put", `${PREFIX}/config`, JSON.stringify(CONF));
      const flags = ["--etcd-endpoints", etcd.url, "--ip-masq"];
      await etcd.putAll([[`${PREFIX}/subnets/${KERNEL.key}`, KERNEL.lease]]);
      const a = cluster.add("node-a", { flags });
      await withKernel(cluster, a);
      const pathOf = ({ key }: Peer) => `${PREFIX}/subnets/${key}`;
      await theyComeAndGo(a, {
        prepare: async (peers) => () =>
          etcd.putAll(
            peers.map((one) => [pathOf(one), one.lease]),
            1000,
          ),
        // All of theirs, and none of the two nodes'.
        remove: async () => {
          await etcd.etcdctl("del", `${PREFIX}/subnets/10.192.`, `${PREFIX}/subnets/10.22`);
        },
      });
    }, 300_000);
  },
);
