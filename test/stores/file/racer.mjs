/**
 * Some nodes in one process, for `race.test.ts`: node racer.mjs DIRECTORY FIRST COUNT. Says that it is ready, waits for a
 * line, has each node acquire a lease at once, and prints the keys, and what time it is here.
 */
import { once } from "node:events";
import { parseNetConf } from "../../../dist/control/flannel/net-conf.js";
import { vxlanData } from "../../../dist/control/flannel/node-lease.js";
import { FileStore } from "../../../dist/stores/file/store.js";

const [directory, first, count] = process.argv.slice(2);
const nodes = Array.from({ length: Number(count) }, (_, i) => Number(first) + i);
const stores = nodes.map(() => new FileStore({ directory }));
console.log("ready");
await once(process.stdin, "data");
const { conf } = parseNetConf(await stores[0].readNetConf(), "picked");

/** On a slow machine the lock may be had by others for too long: the same may work in a moment. */
async function acquire(store, n) {
  const attributes = {
    publicIp: `192.0.2.${n}`,
    publicIpv6: null,
    backendType: "vxlan",
    backendData: vxlanData(1, `0a:00:00:00:00:${n.toString(16).padStart(2, "0")}`),
    backendV6Data: null,
  };
  for (;;) {
    try {
      return (await store.acquire({ conf, attributes, previous: null })).key;
    } catch (error) {
      if (!error.passing) throw error;
    }
  }
}

const keys = await Promise.all(stores.map((store, i) => acquire(store, nodes[i])));
await Promise.all(stores.map((store) => store.close()));
console.log(JSON.stringify({ keys, now: Date.now() }));
process.exit(0);
