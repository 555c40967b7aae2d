/**
 * DirectRouting: peers on the uplink's own link are reached past the overlay, the others through it.
 *
 *   pod ── node-a ──┐
 *                   ├── switch ── router ── node-c ── pod
 *   pod ── node-b ──┘
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Lease } from "../../src/control/lease.ts";
import { onLink } from "../../src/host/reach.ts";
import type { Host } from "../../src/lab/host.ts";
import { Lab } from "../../src/lab/lab.ts";
import { ping as pingHost } from "../../src/lab/ping.ts";
import { IPV6 } from "../../src/lab/plan.ts";
import { describeWith, namespaces, tool, tun } from "../helpers/needs.ts";
import { DEVICE, type Family, NETWORK, Node, subnetOf, UPLINK } from "./direct-routing.ts";
import { Inside } from "./inside.ts";
import type { directPeers } from "./peers-scenarios.ts";
import { Pinger } from "./traffic/ping.ts";

/** Addresses of the underlay: on the switch, and behind the router. */
const UNDERLAY = {
  4: { near: "192.168.0.", far: "192.168.9.", length: 24 },
  6: { near: "fd00:192:168::", far: "fd00:192:168:9::", length: 64 },
} as const;
const GATEWAY = "fe";

describeWith([namespaces(), tool("ping"), tool("bridge")], "direct routing", () => {
  describe.each<Family>(IPV6 ? [4, 6] : [4])("over IPv%i", (family) => {
    const { near, far, length } = UNDERLAY[family];
    const gateway = (stem: string): string => (family === 4 ? `${stem}254` : `${stem}${GATEWAY}`);
    let lab: Lab;
    let [a, b, c]: Node[] = [];
    const pod = (n: number): string => subnetOf(family, n).pod;
    const network = (n: number): string => subnetOf(family, n).network;

    beforeAll(async () => {
      lab = Lab.create();
      const middle = lab.addHost("switch");
      middle.ip("link add br0 type bridge", "link set br0 up");
      const plug = (host: Host, name: string, address: string, port: string): void => {
        lab.cable({ host, name }, { host: middle, name: port });
        middle.ip(`link set ${port} master br0`);
        host.ip(`addr add ${address}/${length} dev ${name}`);
      };
      a = new Node(lab, "node-a", 1, `${near}1`, family);
      b = new Node(lab, "node-b", 2, `${near}2`, family);
      c = new Node(lab, "node-c", 3, `${far}3`, family);
      const router = lab.addHost("router");
      router.forwarding();
      plug(a.host, UPLINK, a.lease.publicIp, "port-a");
      plug(b.host, UPLINK, b.lease.publicIp, "port-b");
      plug(router, "near", gateway(near), "port-r");
      lab.cable({ host: c.host, name: UPLINK }, { host: router, name: "far" });
      router.ip(`addr add ${gateway(far)}/${length} dev far`);
      c.host.ip(
        `addr add ${c.lease.publicIp}/${length} dev ${UPLINK}`,
        `route add default via ${gateway(far)}`,
      );
      for (const { host } of [a, b]) host.ip(`route add default via ${gateway(near)}`);
      for (const node of [a, b, c]) node.addDevice();
    });
    afterAll(() => lab?.destroy());

    const peersOf = (node: Node): Lease[] =>
      [a, b, c].filter((one) => one !== node).map(({ lease }) => lease);
    async function bringAll(options: { direct?: boolean } = {}): Promise<void> {
      for (const node of [a, b, c]) expect((await node.bring(peersOf(node), options)).failures).toEqual([]);
    }
    async function expectDirect(): Promise<void> {
      expect(await a.wayTo(pod(2))).toBe(`via ${b.lease.publicIp} dev ${UPLINK}`);
      expect(await a.neighbours()).toEqual([network(3)]);
    }
    async function expectOverlay(): Promise<void> {
      expect(await a.wayTo(pod(2))).toBe(`via ${network(2)} dev ${DEVICE}`);
      expect(new Set(await a.neighbours())).toEqual(new Set([network(2), network(3)]));
      expect(await directRoutes()).toEqual([]);
    }
    /** Routes to pods through the uplink, whoever made them. */
    async function directRoutes(): Promise<string[]> {
      const words = [family === 4 ? "-4" : "-6", "route", "show", "dev", UPLINK, "proto", "boot"];
      const { stdout } = await a.host.exec("ip", words);
      return stdout.split("\n").filter((line) => line.startsWith(network(0).replace(/0(::)?$/, "")));
    }

    it("which peers are on the link the kernel says: not those behind a gateway, nor ourselves, nor nobody", async () => {
      const asked = [a, b, c].map(({ lease }) => lease.publicIp);
      const options = { netns: a.host.namespace };
      expect(await onLink(asked, UPLINK, options)).toEqual(new Set([b.lease.publicIp]));
      expect(await onLink(asked, "cni0", options)).toEqual(new Set());
      expect(await onLink([], UPLINK, options)).toEqual(new Set());
      // Without a way to node-c the others are answered for as before.
      a.host.ip(`route del default via ${gateway(near)}`);
      expect(await onLink(asked.toReversed(), UPLINK, options)).toEqual(new Set([b.lease.publicIp]));
      a.host.ip(`route add default via ${gateway(near)}`);
      // A policy rule counts, whatever the table main says.
      const rule = async (op: string): Promise<void> => {
        await a.host.exec("ip", [`-${family}`, "rule", op, "to", b.lease.publicIp, "lookup", "100"]);
      };
      await rule("add");
      a.host.ip(`route add default via ${gateway(near)} table 100`);
      expect(await onLink(asked, UPLINK, options)).toEqual(new Set());
      a.host.ip(`route del default via ${gateway(near)} table 100`);
      await rule("del");
      expect(await onLink(asked, UPLINK, options)).toEqual(new Set([b.lease.publicIp]));
    });

    it("pods of a peer on the link are reached past the overlay, those of the others through it", async () => {
      await bringAll();
      await expectDirect();
      expect(await c.wayTo(pod(1))).toBe(`via ${network(1)} dev ${DEVICE}`);
      // The FDB row of a direct peer is there: what it sends through the overlay has a known sender.
      const known = (await a.fdb()).map(({ dst }) => dst);
      expect(new Set(known)).toEqual(new Set([b.lease.publicIp, c.lease.publicIp]));
      const before = await a.sent();
      expect(await ping(a, pod(2))).toBe(5);
      expect(await a.sent()).toBe(before);
      expect(await ping(a, pod(3))).toBe(5);
      expect(await a.sent()).toBe(before + 5);
      for (const node of [a, b, c]) expect((await node.bring(peersOf(node))).done).toBe(0);
    });

    it("a peer that moves behind a gateway and back is reached all the time, and nothing is left behind", async () => {
      await bringAll();
      const bits = family === 4 ? 32 : 128;
      const detour = `${b.lease.publicIp}/${bits} via ${gateway(near)}`;
      const pinger = new Pinger(a.pod, pod(2));
      try {
        for (let turn = 0; turn < 3; turn++) {
          await pinger.next();
          a.host.ip(`route add ${detour}`);
          expect((await a.bring(peersOf(a))).failures).toEqual([]);
          await expectOverlay();
          // node-b goes on sending directly: the ways there and back may differ.
          await pinger.next();
          a.host.ip(`route del ${detour}`);
          expect((await a.bring(peersOf(a))).failures).toEqual([]);
          await expectDirect();
        }
        const { lost } = await pinger.stop();
        expect(lost).toEqual([]);
      } finally {
        await pinger.kill();
      }
    });

    it("switched off, the direct routes give way to the overlay's", async () => {
      await bringAll();
      await bringAll({ direct: false });
      await expectOverlay();
      expect(await ping(a, pod(2))).toBe(5);
      await bringAll();
      await expectDirect();
    });

    it("what an earlier run left goes, in its place or altogether; what is not ours stays", async () => {
      await a.bring([]);
      const via = `via ${b.lease.publicIp} dev ${UPLINK}`;
      const other = `via ${near}7 dev ${UPLINK}`;
      const outside = family === 4 ? "10.99.0.0/24" : "fd00:10:99::/64";
      const [two, gone, bird, fixed, table, blackhole] = [2, 4, 5, 6, 7, 8].map(
        (n) => subnetOf(family, n).subnet,
      );
      a.host.ip(
        `route add ${two} ${other}`, // node-b had another public IP
        `route add ${gone} ${via}`, // a peer that has left since
        `route add ${bird} ${via} proto bird`,
        `route add ${fixed} ${via} metric 77`,
        `route add ${table} ${via} table 100`,
        `route add blackhole ${blackhole}`,
        `route add ${outside} ${via}`,
      );
      expect((await a.bring(peersOf(a))).failures).toEqual([]);
      await expectDirect();
      const six = family === 4 ? [] : ["-6"];
      const shown = async (...words: string[]): Promise<string> =>
        (await a.host.exec("ip", [...six, "route", "show", ...words])).stdout;
      expect((await shown(two!)).trim().split("\n")).toHaveLength(1);
      expect(await shown(gone!)).toBe("");
      for (const kept of [bird!, fixed!, blackhole!, outside]) expect(await shown(kept)).not.toBe("");
      expect(await shown("table", "100", table!)).not.toBe("");
      a.host.ip(
        ...[bird, fixed, `blackhole ${blackhole}`, outside, `${table} table 100`].map(
          (row) => `route del ${row}`,
        ),
      );
    });

    it("somebody else's route to the subnet is not touched, and named", async () => {
      await a.bring([]);
      const { subnet } = subnetOf(family, 2);
      a.host.ip(`route add ${subnet} via ${gateway(near)} dev ${UPLINK} proto static`);
      for (const direct of [true, false]) {
        const { failures } = await a.bring(peersOf(a), { direct });
        expect(failures.map(({ reason }) => reason)).toEqual([
          `there is a route to ${subnet} already, via ${gateway(near)} dev ${UPLINK}`,
        ]);
      }
      expect(await a.wayTo(pod(2))).toBe(`via ${gateway(near)} dev ${UPLINK}`);
      expect((await a.fdb()).map(({ dst }) => dst)).toEqual([c.lease.publicIp]);
      a.host.ip(`route del ${subnet} via ${gateway(near)} dev ${UPLINK} proto static`);
      await bringAll();
      await expectDirect();
    });

    it("a route of somebody else's to all pods is not in the way of those to subnets", async () => {
      await a.bring([]);
      const all = `${NETWORK[family]} via ${gateway(near)} dev ${UPLINK}`;
      a.host.ip(`route add ${all}`);
      for (const direct of [false, true, false]) {
        expect((await a.bring(peersOf(a), { direct })).failures).toEqual([]);
        expect((await a.plan(peersOf(a), { direct })).removals).toEqual([]);
      }
      a.host.ip(`route del ${all}`);
      await expectOverlay();
    });

    it("a direct route that the kernel refuses leaves the peer on the overlay, with the reason", async () => {
      await bringAll({ direct: false });
      // The peer is said to be on the link, and it is not: the kernel knows better.
      const wrong = peersOf(a).map((peer) => ({ ...peer, direct: UPLINK }));
      const { failures } = await a.bring(wrong, { direct: false });
      expect(failures).toHaveLength(1);
      expect(failures[0]!.lease?.publicIp).toBe(c.lease.publicIp);
      expect(failures[0]!.reason).toMatch(/invalid gateway|No route to host|unreachable/i);
      expect(await a.wayTo(pod(3))).toBe(`via ${network(3)} dev ${DEVICE}`);
      expect(await ping(a, pod(3))).toBe(5);
    });

    it("without peers nothing of it is left", async () => {
      await bringAll();
      expect((await a.bring([])).failures).toEqual([]);
      expect(await directRoutes()).toEqual([]);
      expect(await a.neighbours()).toEqual([]);
      expect(await a.fdb()).toEqual([]);
    });
  });
});

describeWith([namespaces(), tun()], "the agent's peers, of which one is direct", () => {
  it("are put in place, kept so, and removed, with what an earlier run has left", async () => {
    const inside = new Inside(new URL("./peers-scenarios.ts", import.meta.url));
    try {
      const seen = await inside.run<Awaited<ReturnType<typeof directPeers>>>("directPeers");
      const [two, three] = ["0e:2a:00:00:00:02 192.168.0.2", "0e:2a:00:00:00:03 192.168.0.3"];
      const mixed = {
        fdb: [two, three],
        routes: [
          "10.244.2.0/24 via 192.168.0.2 dev eth0",
          `10.244.3.0/24 via 10.244.3.0 dev ${DEVICE} onlink`,
        ],
        neighbours: ["10.244.3.0"],
        wrong: [],
      };
      // Two FDB rows, two routes, a neighbour; and a direct route to a peer that is gone.
      expect(seen.first).toEqual({ ...mixed, changed: 6 });
      expect(seen.same).toEqual({ ...mixed, changed: 0 });
      expect(seen.wrong).toEqual(["route add 10.244.2.0/24 via 192.168.0.2 dev eth0"]);
      expect(seen.repaired).toEqual({ ...mixed, changed: 1 });
      expect(seen.overlay).toMatchObject({ changed: 2, fdb: [two, three], wrong: [] });
      expect(seen.overlay.neighbours).toHaveLength(2);
      expect(seen.later).toMatchObject({ changed: 0, wrong: [] });
      expect(seen.later.routes).toContain("10.244.9.0/24 via 192.168.0.9 dev eth0");
      expect(seen.again).toEqual({ ...mixed, changed: 3 });
      expect(seen.none).toEqual({ changed: 5, fdb: [], routes: [], neighbours: [], wrong: [] });
    } finally {
      inside.remove();
    }
  });
});

/** @returns how many of five were answered */
async function ping(from: Node, address: string): Promise<number> {
  return (await pingHost(from.pod, address, { count: 5, interval: 0.02 })).answered;
}
