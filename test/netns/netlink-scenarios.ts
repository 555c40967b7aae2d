/** What `netlink.full.test.ts` runs inside a namespace. Each function returns plain data for the test to look at. */
import { spawnSync } from "node:child_process";
import { netlinkFilter } from "../../src/io/linux/netlink/filter.ts";
import { NEWLINK, type NetlinkEvent, parseMessages } from "../../src/io/linux/netlink/message.ts";
import { NetlinkWatch } from "../../src/io/linux/netlink/watch.ts";
import { loadShim } from "../../src/io/linux/shim.ts";
import { DEVICE, ip, ipBatch, ipBatchBeside, manyRoutes, pause, setUp, until } from "./news-stage.ts";

const GROUPS = 0x555; // those of `NetlinkWatch`
const shim = loadShim();

/** Each kind of message as this kernel writes it. */
export async function kinds() {
  setUp();
  const [index, cni0] = [shim.linkIndex(DEVICE), shim.linkIndex("cni0")];
  const events: NetlinkEvent[] = [];
  const watch = new NetlinkWatch({ heard: (more) => void events.push(...more), lost: () => {} });
  for (const line of [
    "link set flannel.1 mtu 1400",
    "address add 10.9.0.1/24 dev flannel.1",
    "address add 2001:db8::1/64 dev flannel.1 nodad",
    "address del 10.244.1.0/32 dev flannel.1",
    "neigh replace 10.244.2.0 lladdr 02:ca:fe:00:00:09 nud permanent dev flannel.1",
    "neigh del 10.244.2.0 dev flannel.1",
    "route replace 10.244.2.0/24 dev cni0",
    "route del 10.244.2.0/24 dev cni0",
    "route add 2001:db8:2::/64 via 2001:db8::2 dev flannel.1",
    "route add blackhole 10.77.0.0/16",
    "route add 10.78.0.0/16 dev cni0 table 99",
    "link set far0 master cni0",
    "link set far0 nomaster",
    "link del flannel.1",
    "link add end type bridge",
  ]) {
    ip(line);
  }
  await until(() => events.some((event) => event.kind === "link" && event.name === "end"));
  watch.close();
  watch.close();
  return { index, cni0, events, nobody: shim.linkIndex("nobody") };
}

/** Every message of the kernel's, cut at every length. */
export function cut() {
  setUp();
  const fd = shim.netlinkOpen(GROUPS, 1 << 20);
  ipBatch([
    "link set flannel.1 mtu 1300",
    "address add 10.9.0.1/24 dev flannel.1",
    "route del 10.244.2.0/24",
  ]);
  const bytes = new Uint8Array(32_768);
  let [messages, wrong] = [0, 0];
  for (;;) {
    const got = shim.receiveFrom(fd, bytes, new Uint8Array(28));
    if (got < 0) break;
    messages++;
    for (let length = 1; length <= got; length++) {
      const exact = bytes.slice(0, length);
      if (parseMessages(new DataView(exact.buffer), length, []) !== (length === got)) wrong++;
    }
  }
  shim.close(fd);
  return { messages, wrong };
}

/**
 * Which kinds of messages a filter lets through of what `change` brings about. Links that find their carrier meanwhile
 * are left out, unless they are what is asked about.
 */
function comes(program: Uint8Array, change: () => void, links = false): string {
  const fd = shim.netlinkOpen(GROUPS, 1 << 20);
  shim.attachFilter(fd, program);
  change();
  const bytes = new Uint8Array(32_768);
  const kinds = new Set<string>();
  while (shim.receiveFrom(fd, bytes, new Uint8Array(28)) > 0) {
    const type = new DataView(bytes.buffer).getUint16(4, true);
    kinds.add(["link", "address", "route", "neighbour"][(type - NEWLINK) >> 2] ?? `type ${type}`);
  }
  shim.close(fd);
  if (!links) kinds.delete("link");
  return [...kinds].sort().join(", ");
}

/** What wakes us, with a filter for flannel.1. */
export function filtered() {
  setUp();
  ip("address add 10.9.0.1/24 dev flannel.1");
  const devices = new Set([shim.linkIndex(DEVICE)]);
  const ours = netlinkFilter({ devices, routes: false });
  const all = netlinkFilter({ devices, routes: true });
  const pods = Array.from({ length: 200 }, (_, i) => `10.244.1.${i + 2}`);
  const change = (line: string) => () => ip(line);
  const batch = (lines: (address: string) => string) => () => ipBatch(pods.map(lines));
  // The kernel makes a neighbour for who is asked, and learns that he does not answer: nobody has asked for that.
  const asked = (address: string) => () => void spawnSync("ping", ["-c1", "-W1", address]);
  const foreign = "lladdr 02:00:00:00:00:01 dev cni0";
  const fdb = ["fdb", "add", "02:00:00:00:00:77", "dev", DEVICE, "self"];
  return {
    "neighbours of others": comes(
      ours,
      batch((address) => `neigh replace ${address} ${foreign}`),
    ),
    "neighbours of others, deleted": comes(
      ours,
      batch((address) => `neigh del ${address} dev cni0`),
    ),
    "routes of others": comes(
      ours,
      batch((address) => `route add ${address}/32 dev cni0`),
    ),
    "routes of others, deleted": comes(
      ours,
      batch((address) => `route del ${address}/32 dev cni0`),
    ),
    "routes of another table": comes(all, change("route add 10.55.0.0/16 dev flannel.1 table 99")),
    "a bridge's table": comes(ours, () => void spawnSync("bridge", fdb)),
    "a neighbour that others learn": comes(ours, asked("10.244.1.250")),
    "a neighbour that we learn": comes(ours, asked("10.9.0.2")),
    "our neighbour": comes(ours, change("neigh add 10.9.9.9 lladdr 02:ca:fe:00:00:09 dev flannel.1")),
    "our neighbour, deleted": comes(ours, change("neigh del 10.9.9.9 dev flannel.1")),
    "our MAC, with all neighbours": comes(ours, change("link set flannel.1 address 02:ca:fe:00:00:77"), true),
    "our route": comes(ours, change("route add 10.56.0.0/16 dev flannel.1")),
    "our route, replaced": comes(ours, change("route replace 10.56.0.0/16 dev cni0")),
    "its end": comes(ours, change("route del 10.56.0.0/16 dev cni0")),
    "any route, where wanted": comes(all, change("route add 10.57.0.0/16 dev cni0")),
    "any route's end, where wanted": comes(all, change("route del 10.57.0.0/16 dev cni0")),
    "any link": comes(ours, change("link set cni0 mtu 1300"), true),
    "any address": comes(ours, change("address add 10.8.0.1/24 dev cni0")),
  };
}

/** The same with so many other devices in the filter, before ours; where there are too many, all comes. */
export function crowds() {
  setUp();
  const index = shim.linkIndex(DEVICE);
  return [0, 199, 200, 201, 1000, 3500, 10_000].map((size, i) => {
    const others = Array.from({ length: size }, (_, n) => 70_000 + n);
    const program = netlinkFilter({ devices: new Set([...others, index]), routes: false });
    const told = (device: string) =>
      comes(program, () => ip(`neigh add 10.9.9.${i} lladdr 02:ca:fe:00:00:09 dev ${device}`)) ===
      "neighbour";
    return { size, ours: told(DEVICE), others: told("cni0") };
  });
}

/** What is heard of a storm of routes, and how often somebody else had his turn between its first and its last. */
async function storm(receiveBuffer: number, add: () => void | Promise<void>) {
  setUp();
  let [routes, lost, turns] = [0, 0, 0];
  let [first, last] = [0, 0];
  let end = false;
  const watch = new NetlinkWatch(
    {
      heard: (events) => {
        routes += events.filter((event) => event.kind === "route").length;
        end ||= events.some((event) => event.kind === "link" && event.name.startsWith("end"));
        first ||= turns;
        last = turns;
      },
      lost: () => void lost++,
    },
    receiveBuffer,
  );
  const turn = (): void => {
    turns++;
    if (!end) setImmediate(turn);
  };
  turn();
  await add();
  await until(() => routes + lost > 0);
  // Whoever has missed something hears what comes once the queue is empty.
  for (let i = 0; !end; i++) {
    await ipBatchBeside([`link add end${i} type bridge`]);
    await pause(100);
  }
  watch.close();
  return { routes, lost, turns: last - first };
}

/** Read as they come. */
export function stormRead() {
  return storm(64 << 20, () => ipBatchBeside(manyRoutes("add")));
}

/** The event loop stands still until all have come, and the queue has room for them. */
export function stormQueued() {
  return storm(64 << 20, () => ipBatch(manyRoutes("add")));
}

/** The same, and the queue has room for a few. */
export function stormMissed() {
  return storm(4096, () => ipBatch(manyRoutes("add")));
}
