/**
 * Five thousand leases that arrive at once: the rows are right, and how long each step took is printed. One pass reads what
 * there is, compares, and changes it; a pass with nothing to do is what every event costs.
 *
 *   poplin-<id>-many: eth0 192.168.0.1/16 (a veth that leads nowhere), flannel.1 (a TAP)
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { applyPlan, type Executor } from "../../src/control/apply.ts";
import { desiredRows } from "../../src/control/desired.ts";
import { difference } from "../../src/control/difference.ts";
import type { Lease } from "../../src/control/lease.ts";
import type { FdbTarget, RouteRow } from "../../src/control/rows.ts";
import { applyHostSteps } from "../../src/host/apply.ts";
import { readDirectRoutes } from "../../src/host/direct.ts";
import { onLink } from "../../src/host/reach.ts";
import { readDevice } from "../../src/host/read.ts";
import { IPV6 } from "../../src/lab/plan.ts";
import { describeWith, namespaces, tun } from "../helpers/needs.ts";

const MANY = 5000;
const DEVICE = "flannel.1";
const UPLINK = "eth0";
const NETWORKS = ["10.0.0.0/8", "fd00::/16"];

type Kind = "IPv4" | "IPv6" | "direct";

function leasesOf(kind: Kind): Lease[] {
  return Array.from({ length: MANY }, (_, i): Lease => {
    const [high, low] = [i >> 8, i & 255];
    const hex = (n: number): string => n.toString(16).padStart(2, "0");
    return {
      publicIp: `192.168.${100 + high}.${low}`,
      port: 8472,
      vtepMac: `0e:2a:00:01:${hex(high)}:${hex(low)}`,
      subnets: [kind === "IPv6" ? `fd00:${(i + 1).toString(16)}::/64` : `10.${high}.${low}.0/24`],
      ...(kind === "direct" ? { direct: UPLINK } : {}),
    };
  });
}

describeWith([namespaces(), tun()], `${MANY} leases at once`, () => {
  const netns = `poplin-${randomBytes(4).toString("hex")}-many`;
  const options = { netns };
  const fdb = new Map<string, FdbTarget>();
  let times: string[] = [];

  async function timed<T>(what: string, task: () => T | Promise<T>): Promise<T> {
    const before = performance.now();
    const result = await task();
    times.push(`${what} ${Math.round(performance.now() - before)}`);
    return result;
  }

  const executor: Executor = {
    host: (steps) => timed(`${steps[0]!.table}s`, () => applyHostSteps(DEVICE, steps, options)),
    fdb: async (steps) =>
      steps.map(({ op, mac, dst, port }) => {
        if (op === "replace") fdb.set(mac, { mac, dst, port });
        else fdb.delete(mac);
        return null;
      }),
  };

  async function read() {
    const { neighbours, routes, link } = (await readDevice(DEVICE, options))!;
    const direct = await readDirectRoutes({ uplink: UPLINK, networks: NETWORKS }, options);
    return { neighbours, routes: [...routes, ...direct], addresses: link.addresses, fdb: [...fdb.values()] };
  }

  /** One pass. @returns how many rows it changed */
  async function pass(what: string, leases: readonly Lease[]): Promise<number> {
    times = [];
    const before = performance.now();
    const actual = await timed("read", read);
    const plan = await timed("difference", () => difference(actual, desiredRows(leases, [])));
    const { done, failures } = await applyPlan(plan, executor);
    console.log(`${what}: ${Math.round(performance.now() - before)} ms (${times.join(", ")})`);
    expect(failures).toEqual([]);
    return done;
  }

  /** Whether the kernel has the rows of these leases and no others, by what `desiredRows` says. */
  async function expectRows(leases: readonly Lease[]): Promise<void> {
    const { neighbours, routes } = await read();
    const { leases: wanted } = desiredRows(leases, []);
    const row = ({ subnet, via, dev = DEVICE }: RouteRow): string => `${subnet} via ${via} dev ${dev}`;
    expect(routes.map(row).sort()).toEqual(wanted.flatMap((one) => one.routes.map(row)).sort());
    expect(neighbours.map(({ address, mac }) => `${address} ${mac}`).sort()).toEqual(
      wanted.flatMap((one) => one.neighbours.map(({ address, mac }) => `${address} ${mac}`)).sort(),
    );
    expect(fdb.size).toBe(leases.length);
  }

  beforeAll(() => {
    execFileSync("ip", ["netns", "add", netns]);
    const lines = [
      "link set lo up",
      `link add ${UPLINK} type veth peer name far`,
      `link set ${UPLINK} up`,
      "link set far up",
      `addr add 192.168.0.1/16 dev ${UPLINK}`,
      `tuntap add ${DEVICE} mode tap multi_queue vnet_hdr`,
      `link set ${DEVICE} up`,
    ];
    execFileSync("ip", ["-n", netns, "-batch", "-"], { input: `${lines.join("\n")}\n` });
  });
  afterAll(() => {
    execFileSync("ip", ["netns", "del", netns]);
  });

  const kinds: readonly Kind[] = IPV6 ? ["IPv4", "IPv6", "direct"] : ["IPv4", "direct"];
  it.each(kinds)("%s: all are put in place, kept, changed one at a time, and removed", async (kind) => {
    const leases = leasesOf(kind);
    const rows = MANY * (kind === "direct" ? 2 : 3);
    expect(await pass(`${kind}, all added`, leases)).toBe(rows);
    await expectRows(leases);
    expect(await pass(`${kind}, nothing to do`, leases)).toBe(0);
    expect(await pass(`${kind}, nothing to do`, leases)).toBe(0);
    const moved = { ...leases[7]!, publicIp: "192.168.99.7" };
    const changed = leases.with(7, moved);
    // Its FDB row, and where it is reached directly its route.
    expect(await pass(`${kind}, one changed`, changed)).toBe(kind === "direct" ? 2 : 1);
    await expectRows(changed);
    expect(await pass(`${kind}, all removed`, [])).toBe(rows);
    await expectRows([]);
  });

  it("all move from the overlay to the uplink's link and back", async () => {
    const overlay = leasesOf("IPv4");
    await pass("IPv4, all added", overlay);
    const asked = overlay.map(({ publicIp }) => publicIp);
    const before = performance.now();
    const near = await onLink(asked, UPLINK, options);
    console.log(`on-link of ${MANY}: ${Math.round(performance.now() - before)} ms`);
    expect(near.size).toBe(MANY);
    const direct = leasesOf("direct");
    expect(await pass("all to direct routes", direct)).toBe(2 * MANY);
    await expectRows(direct);
    expect(await pass("all back to the overlay", overlay)).toBe(2 * MANY);
    await expectRows(overlay);
    await pass("all removed", []);
  });
});
