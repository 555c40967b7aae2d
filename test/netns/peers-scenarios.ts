/** What `direct-routing.full.test.ts` runs inside a namespace: the agent's peers, over a dataplane that carries nothing. */
import { execFileSync } from "node:child_process";
import type { Device } from "../../src/agent/device.ts";
import { startInlineEngine } from "../../src/agent/engine/inline-engine.ts";
import { Log } from "../../src/agent/log.ts";
import { Peers } from "../../src/agent/peers.ts";
import type { Lease } from "../../src/control/lease.ts";
import { readDevice } from "../../src/host/read.ts";
import { MemoryNetwork, MemoryTap } from "../../src/io/memory.ts";
import { OPTIONS } from "../dataplane/stages.ts";

const NAME = "flannel.1";
const MAC = "0e:2a:00:00:00:01";

function ip(line: string): string {
  return execFileSync("ip", line.split(" "), { encoding: "utf8" });
}

const lease = (n: number, direct: boolean): Lease => ({
  publicIp: `192.168.0.${n}`,
  port: 8472,
  vtepMac: `0e:2a:00:00:00:0${n}`,
  subnets: [`10.244.${n}.0/24`],
  ...(direct ? { direct: "eth0" } : {}),
});

/** Reconciles, looks, spoils and repairs. @returns what was changed and seen at each turn */
export async function directPeers() {
  for (const line of [
    "link add eth0 type veth peer name far",
    "link set eth0 up",
    "link set far up",
    "addr add 192.168.0.1/24 dev eth0",
    `tuntap add ${NAME} mode tap multi_queue vnet_hdr`,
    `link set ${NAME} address ${MAC} mtu 1450 up`,
    "route add 10.244.9.0/24 via 192.168.0.9 dev eth0",
  ])
    ip(line);
  const underlay = new MemoryNetwork().attach({ address: Uint8Array.of(192, 168, 0, 1), port: 8472 });
  const engine = startInlineEngine(OPTIONS, new MemoryTap(), underlay);
  const uplink = { device: "eth0", mtu: 1500, address: "192.168.0.1" };
  // What opens queues and closes them is not the peers' business.
  const device = { name: NAME, mac: MAC, mtu: 1450, uplink } as Device;
  const peers = new Peers(engine, device, 8472, new Log("error"), ["10.244.0.0/16"]);
  const turn = async (leases: readonly Lease[]) => {
    const changed = await peers.reconcile(leases, [], (await readDevice(NAME))!);
    // The table has no order: its hash has a random key.
    const fdb = (await engine.ask({ type: "rows" })).map(({ mac, dst }) => `${mac} ${dst}`).sort();
    // Nobody has the TAP open: sooner or later the kernel says so.
    const shown = ip("route show proto boot").replaceAll(" linkdown", "");
    const routes = shown.trim().split(/ *\n/).filter(Boolean);
    const state = (await readDevice(NAME))!;
    const neighbours = state.neighbours.map(({ address }) => address);
    return { changed, fdb, routes, neighbours, wrong: await peers.plan(state) };
  };
  const mixed = [lease(2, true), lease(3, false)];
  const first = await turn(mixed);
  const same = await turn(mixed);
  ip("route del 10.244.2.0/24");
  const wrong = await peers.plan((await readDevice(NAME))!);
  const repaired = await turn(mixed);
  const overlay = await turn([lease(2, false), lease(3, false)]);
  // From now on it may be anybody's, until a peer is direct again.
  ip("route add 10.244.9.0/24 via 192.168.0.9 dev eth0");
  const later = await turn([lease(2, false), lease(3, false)]);
  const again = await turn(mixed);
  const none = await turn([]);
  await engine.stop();
  return { first, same, wrong, repaired, overlay, later, again, none };
}
