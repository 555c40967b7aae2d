/**
 * SIGHUP: what changed is applied, what did not change is not touched. While one peer changes, numbered datagrams go
 * both ways between the pods of node-a and of the other peer, and every one of them arrives.
 *
 *   node-a (poplin, under test), node-b (kernel VXLAN: the peer that stays), node-c (kernel VXLAN: the one that changes)
 */
import { rmSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster } from "../../src/lab/cluster.ts";
import type { LabNode } from "../../src/lab/node.ts";
import { ping } from "../../src/lab/ping.ts";
import type { NodePlan } from "../../src/lab/plan.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { reload, rowsFor, rowsOf, sleep, until } from "./agents.ts";
import { UdpHelper } from "./traffic/udp.ts";

/** Datagrams a second each way; the buffer of a `dgram` socket holds a few hundred. */
const RATES = { batch: 3000, dgram: 1000 };
/** Milliseconds of traffic before and after the reload. */
const MARGIN = 200;
const PORT = 7000;

/** Of each driver one; what is done in the main thread, the same for both, is tried with the first only. */
for (const underlay of ["batch", "dgram"] as const) {
  describeWith([lab(), tool("ping")], `a reload on the ${underlay} underlay`, () => {
    let cluster: Cluster;
    let a: PoplinNode;
    let b: LabNode;
    let c: LabNode;

    beforeAll(async () => {
      cluster = await Cluster.start({
        nodes: [
          { name: "node-a", kind: "poplin", underlay },
          { name: "node-b", kind: "kernel" },
          { name: "node-c", kind: "kernel" },
        ],
      });
      a = cluster.poplin("node-a");
      [b, c] = [cluster.node("node-b"), cluster.node("node-c")];
    });
    afterAll(() => cluster?.destroy());

    function more(title: string, run: () => Promise<void>): void {
      if (underlay === "batch") it(title, run);
    }

    /** Runs `act` while datagrams go both ways between the pods of node-a and node-b. @returns how many were sent and lost */
    async function underTraffic(act: () => Promise<void>): Promise<{ sent: number; lost: number }> {
      const ends = [
        { socket: new UdpHelper(a.pod, "10.244.1.2", PORT), to: "10.244.2.2" },
        { socket: new UdpHelper(b.pod, "10.244.2.2", PORT), to: "10.244.1.2" },
      ] as const;
      try {
        const before = await Promise.all(ends.map(({ socket }) => socket.report()));
        await Promise.all(ends.map(({ socket, to }) => socket.stream([PORT, to], RATES[underlay])));
        await sleep(MARGIN);
        await act();
        await sleep(MARGIN);
        const sent = await Promise.all(ends.map(({ socket }) => socket.quiet()));
        const arrived = async (): Promise<number[]> => {
          const reports = await Promise.all(ends.map(({ socket }) => socket.report()));
          return reports.map((report, i) => report.received + report.overflows - before[i]!.overflows);
        };
        const all = async () => (await arrived()).reduce(sum) === sent.reduce(sum);
        // What is not there after two seconds is lost.
        await until("all datagrams", all, 2000).catch(() => {});
        return { sent: sent.reduce(sum), lost: sent.reduce(sum) - (await arrived()).reduce(sum) };
      } finally {
        await Promise.all(ends.map(({ socket }) => socket.stop()));
      }
    }

    /** A reload to these peers, under traffic: it succeeds, nothing is lost, and the rows are those of the peers. */
    async function expectReloadTo(peers: readonly NodePlan[], message: RegExp): Promise<void> {
      a.setPeers(peers);
      const { sent, lost } = await underTraffic(async () => {
        const result = await reload(a);
        expect(result.message).toMatch(message);
        expect(result.ok).toBe(true);
      });
      expect(lost).toBe(0);
      expect(sent).toBeGreaterThan(RATES[underlay] / 2);
      expect(await rowsOf(a.host)).toMatchObject(rowsFor(a, peers));
      const rows = (await a.client.fdb()).map(({ mac, dst }) => `${mac} ${dst}`).sort();
      expect(rows).toEqual(peers.map((peer) => `${peer.vtepMac} ${peer.address}`).sort());
      expect((await a.status()).state).toBe("running");
    }

    it("a peer's public IP", () =>
      expectReloadTo([b.plan, { ...c.plan, address: "172.19.0.55" }], /peer: 1 changed/));

    it("its VTEP MAC", () =>
      expectReloadTo(
        [b.plan, { ...c.plan, address: "172.19.0.55", vtepMac: "02:00:00:00:00:55" }],
        /peers: 1 added, 1 removed/,
      ));

    more("its subnet", () =>
      expectReloadTo(
        [
          b.plan,
          {
            ...{ ...c.plan, address: "172.19.0.55", vtepMac: "02:00:00:00:00:55" },
            ...{ subnet: "10.244.55.0/24", overlay: "10.244.55.0" },
          },
        ],
        /peer: 1 changed/,
      ),
    );

    more("without it", () => expectReloadTo([b.plan], /peer: 1 removed/));

    it("and back again, before the other one: its pod can be reached", async () => {
      await expectReloadTo([c.plan, b.plan], /1 added/);
      expect((await ping(a.pod, "10.244.3.2")).answered).toBe(3);
    });

    more("a file that has not changed changes nothing", () =>
      expectReloadTo([c.plan, b.plan], /nothing changed/),
    );

    /** A reload that is refused: everything stays, nothing is lost, and status and log say why. */
    async function expectRefused(spoil: () => void, message: RegExp): Promise<void> {
      const good = a.config;
      const before = { rows: await rowsOf(a.host), fdb: await a.client.fdb() };
      const { loadedAt } = (await a.status()).config;
      const { lost } = await underTraffic(async () => {
        spoil();
        a.signal("SIGHUP");
        await until("a refused reload", async () => (await a.status()).config.lastReload?.ok === false);
      });
      expect(lost).toBe(0);
      const status = await a.status();
      expect(status.config.lastReload?.message).toMatch(message);
      expect(status.config.loadedAt).toBe(loadedAt);
      expect(status.state).toBe("running");
      expect(status.health.map((line) => line.message).join("\n")).toMatch(message);
      expect(a.log()).toMatch(/error not reloaded, .*stays in force/);
      expect({ rows: await rowsOf(a.host), fdb: await a.client.fdb() }).toEqual(before);
      a.config = good;
      expect((await reload(a)).ok).toBe(true);
    }

    it("mistakes in the file: all of them named with their places, and nothing applied", () =>
      expectRefused(() => {
        const peers = [
          { publicIp: "172.19.0.3", vtepMac: b.plan.vtepMac, subnet: "10.244.66.0/24" },
          { publicIp: "172.19.0.4", vtepMac: "0a:58:0a:f4:03", subnet: "10.244.3.0/24" },
        ];
        a.config = { ...a.config, senderCheck: "strikt", peers };
        a.writeConfig();
      }, /node-a\.yaml:\d+:\d+: senderCheck: [\s\S]*strict[\s\S]*node-a\.yaml:\d+:\d+: peers\[1\]\.vtepMac: /));

    more("no file at all", () => expectRefused(() => rmSync(a.configFile), /node-a\.yaml: .*no such file/));

    it("a setting that needs a restart: refused whole, with the changes that could have been made", () =>
      expectRefused(() => {
        const peers = [{ publicIp: "172.19.0.3", vtepMac: b.plan.vtepMac, subnet: "10.244.66.0/24" }];
        a.config = { ...a.config, vni: 2, device: "flannel.1", peers };
        a.writeConfig();
      }, /vni: 1 → 2.*restart the agent to change vni/));

    more(
      "a peer whose route somebody else has: said in its state, and nobody else is disturbed",
      async () => {
        const { lost } = await underTraffic(async () => {
          a.host.ip("route add 10.244.88.0/24 via 172.19.0.4");
          a.setPeers([b.plan, { ...c.plan, subnet: "10.244.88.0/24", overlay: "10.244.88.0" }]);
          expect((await reload(a)).ok).toBe(true);
        });
        expect(lost).toBe(0);
        const status = await a.status();
        expect(status.state).toBe("degraded");
        expect(status.peers.map(({ state }) => state)).toEqual([
          "ok",
          expect.stringContaining("10.244.88.0/24"),
        ]);
        expect(await rowsOf(a.host)).toMatchObject(rowsFor(a, [b.plan]));
        a.host.ip("route del 10.244.88.0/24");
      },
    );
  });
}

function sum(a: number, b: number): number {
  return a + b;
}
