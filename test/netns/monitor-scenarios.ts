/** What `monitor.full.test.ts` runs inside a namespace. Each function returns plain data for the test to look at. */
import { HostMonitor, type MonitorOptions } from "../../src/agent/monitor.ts";
import { difference } from "../../src/control/difference.ts";
import type { HostStep } from "../../src/control/rows.ts";
import { applyHostSteps } from "../../src/host/apply.ts";
import { readDevices } from "../../src/host/read.ts";
import { repairLink } from "../../src/host/repair.ts";
import type { NetlinkEvent } from "../../src/io/linux/netlink/message.ts";
import { NetlinkWatch } from "../../src/io/linux/netlink/watch.ts";
import { loadShim } from "../../src/io/linux/shim.ts";
import { REASONS } from "./monitor-reasons.ts";
import {
  DESIRED,
  DEVICE,
  ip,
  ipBatchBeside,
  MAC,
  manyRoutes,
  pause,
  setUp,
  UPLINK,
  until,
} from "./news-stage.ts";

/** Milliseconds without a look after which there is rest: more than between a look and the next. */
const REST = 700;
/** After a link that goes up or down: the kernel tells of its carrier up to a second later (`linkwatch_fire_event`). */
const LINK_REST = 1500;

/** A monitor, and the reasons that it has given. */
function monitoring(options: Partial<MonitorOptions> = {}) {
  const whys: string[] = [];
  const monitor = new HostMonitor({
    devices: () => [DEVICE],
    uplink: () => UPLINK,
    look: (why) => void whys.push(why),
    ...options,
  });
  return { monitor, whys };
}

/** Somebody changes one thing after the other. @returns the first reason that each was */
export async function reasons() {
  setUp();
  const { monitor, whys } = monitoring();
  const results: Record<string, string> = {};
  let before = LINK_REST;
  for (const change of Object.keys(REASONS)) {
    await rest(whys, before);
    before = /^link .*(up|down|bridge)$/.test(change) ? LINK_REST : REST;
    ip(change);
    await until(() => whys.length > 0);
    results[change] = whys[0]!.replace(/ \(and \d+ more\)$/, "");
  }
  monitor.close();
  return results;
}

/** Waits until nothing has been added for a while, and forgets what was. */
async function rest(heard: unknown[], milliseconds = REST): Promise<void> {
  await quiet(heard, milliseconds);
  heard.length = 0;
}

/** Waits until nothing has been added for a while; where that never is, the scenario ends with its time. */
async function quiet(heard: readonly unknown[], milliseconds: number): Promise<void> {
  let before: number;
  do {
    before = heard.length;
    await pause(milliseconds);
  } while (before !== heard.length);
}

/** The pass of an agent, after each thing that somebody does to it. @returns how much each pass had to put right */
export async function settling() {
  setUp();
  const passes: number[] = [];
  const { monitor } = monitoring({ routes: true, look: async () => void passes.push(await pass()) });
  const results: Record<string, number[]> = {};
  await quiet(passes, LINK_REST);
  for (const change of [
    "route del 10.244.2.0/24",
    "neigh del 10.244.2.0 dev flannel.1",
    "address flush dev flannel.1",
    "link set flannel.1 address 02:ca:fe:00:00:99",
    `link set flannel.1 address ${MAC}`,
    "link set flannel.1 down",
  ]) {
    passes.length = 0;
    ip(change);
    await until(() => passes.length > 0);
    await quiet(passes, LINK_REST);
    results[change] = [...passes];
  }
  monitor.close();
  return { results, left: await pass() };
}

/** Compares and repairs with what the agent does it with. */
async function pass(): Promise<number> {
  const { repaired } = await repairLink(DEVICE, { mac: MAC, mtu: 1450 });
  const { link, neighbours, routes } = (await readDevices([DEVICE])).get(DEVICE)!;
  const fdb = DESIRED.leases.map((rows) => rows.fdb);
  const plan = difference({ neighbours, routes, addresses: link.addresses, fdb }, DESIRED);
  const changes = plan.leases.flatMap((lease) => lease.changes.map(({ step }) => step));
  const steps = [...plan.addAddresses, ...changes, ...plan.removals, ...plan.removeAddresses];
  const results = await applyHostSteps(DEVICE, steps as HostStep[]);
  return repaired.length + results.length;
}

/** A routing daemon's storms, for a monitor that wants all routes. */
export async function storm() {
  setUp();
  const { monitor, whys } = monitoring({ routes: true });
  const start = performance.now();
  await ipBatchBeside(manyRoutes("add"));
  await ipBatchBeside(manyRoutes("del"));
  await until(() => whys.length > 0);
  const looks = whys.length;
  const most = 2 + Math.floor((performance.now() - start) / 500);
  await rest(whys);
  ip("route del 10.244.2.0/24");
  await until(() => whys.length > 0);
  monitor.close();
  return { looks, most, after: whys };
}

/** How often we are woken while others are busy with what does not concern us. */
export async function idle() {
  setUp();
  let woken = 0;
  const wake = (): void => void woken++;
  const looks: string[] = [];
  const options = {
    devices: () => [DEVICE],
    uplink: () => UPLINK,
    look: (why: string) => void looks.push(why),
  };
  const monitor = new HostMonitor(options, {
    open: (listener) => {
      const heard = (events: readonly NetlinkEvent[]): void => {
        wake();
        listener.heard(events);
      };
      return new NetlinkWatch({ heard, lost: wake });
    },
    indexOf: (name) => loadShim().linkIndex(name),
  });
  await rest(looks);
  woken = 0;
  const pods = Array.from({ length: 200 }, (_, i) => `10.244.1.${i + 2}`);
  await ipBatchBeside(manyRoutes("add"));
  await ipBatchBeside(pods.map((pod) => `neigh add ${pod} lladdr 02:00:00:00:00:01 nud stale dev cni0`));
  await pause(REST);
  const meanwhile = woken;
  ip("route del 10.244.2.0/24");
  await until(() => looks.length > 0);
  monitor.close();
  return { meanwhile, looks };
}
