/**
 * Path MTU: what is too long for a link in the middle of the underlay, and who hears of it.
 *
 *   node-a eth0 1500 ── router ── 1400 eth0 node-b
 *
 * The overlay's MTU is what the first link leaves of 1500, so a full packet from node-a does not fit the second one.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster, type NodeSpec } from "../../src/lab/cluster.ts";
import type { Host } from "../../src/lab/host.ts";
import { DEVICE, overhead } from "../../src/lab/node.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { until } from "./agents.ts";
import { type Family, ipv6, podOf, serve, stream } from "./pods.ts";

const UPLINK = 1500;
const NARROW = 1400;
const HEADERS = { 4: 28, 6: 48 } as const;

interface Scenario {
  readonly outer: Family;
  readonly peer: NodeSpec["kind"];
  readonly config: Readonly<Record<string, unknown>>;
}

const OUTER = [4, 6] as const;
const INNER = [4, 6] as const;
const NEEDS = [lab(), ipv6(), ...["ethtool", "ping", "tshark", "tcpdump"].map(tool)];

async function narrow({ outer, peer, config }: Scenario): Promise<Cluster> {
  const cluster = Cluster.build({
    nodes: [
      { name: "node-a", kind: "poplin", config },
      { name: "node-b", kind: peer, ...(peer === "poplin" ? { config } : {}) },
    ],
    router: true,
    family: outer,
    ipv6: true,
  });
  try {
    cluster.network.middle.ip(`link set node-b mtu ${NARROW}`);
    cluster.node("node-b").host.ip(`link set eth0 mtu ${NARROW}`);
    await cluster.startAll();
    return cluster;
  } catch (error) {
    cluster.destroy();
    throw error;
  }
}

/** One ping with DF set. @returns what ping said, and whether an answer came */
async function ping(from: Host, to: string, size: number): Promise<{ passed: boolean; said: string }> {
  const args = ["-n", "-c", "1", "-W", "5", "-M", "do", "-s", String(size), to];
  const { status, stdout, stderr } = await from.exec("ping", args, { check: false });
  return { passed: status === 0, said: stdout + stderr };
}

async function pathOf(cluster: Cluster, name = "node-a") {
  return (await cluster.poplin(name).status()).peers[0]!.pathMtu;
}

for (const outer of OUTER) {
  const fits = NARROW - overhead(outer);
  for (const peer of ["poplin", "kernel"] as const) {
    describeWith(NEEDS, `over IPv${outer}, to ${peer}, by the probe alone`, () => {
      let cluster: Cluster;
      beforeAll(async () => {
        cluster = await narrow({ outer, peer, config: {} });
        await serve(cluster.node("node-b").pod);
      });
      afterAll(() => cluster?.destroy());

      it("finds the path MTU without any traffic, and status says what to do", async () => {
        await until("the probe", async () => (await pathOf(cluster))?.how === "probe");
        expect(await pathOf(cluster)).toMatchObject({ bytes: NARROW, needed: UPLINK, how: "probe" });
        const { health, state } = await cluster.poplin("node-a").status();
        expect(state).toBe("running");
        expect(health).toMatchObject([{ level: "warning", remedy: `set \`mtu: ${fits}\` to avoid it` }]);
        const { stdout } = await cluster.poplin("node-a").poplin(["status"]);
        expect(stdout).toContain(`path MTU ${NARROW} (probe), ${UPLINK} needed`);
      });

      for (const inner of INNER) {
        it(`tells a pod that sends too long IPv${inner} packets what fits, and lets that pass`, async () => {
          const [{ pod }, to] = [cluster.node("node-a"), podOf(cluster.node("node-b"), inner)];
          const longest = fits - HEADERS[inner];
          if (inner === 6 && fits < 1280) throw new Error("no such path");
          const refused = await ping(pod, to, longest + 1);
          expect(refused.passed).toBe(false);
          expect(refused.said).toContain(`mtu = ${fits}`.replace(" = ", inner === 4 ? " = " : "="));
          await forget(pod);
          expect((await ping(pod, to, longest)).passed).toBe(true);
        });
        it(`carries TCP over IPv${inner}, both ways`, async () => {
          await forget(cluster.node("node-a").pod);
          const to = podOf(cluster.node("node-b"), inner);
          expect(await stream(cluster.node("node-a").pod, to, 4 << 20)).toEqual({
            sent: true,
            received: true,
          });
        });
      }
    });
  }
}

/** Forgets what ICMP has taught a host. */
async function forget(host: Host): Promise<void> {
  for (const family of ["-4", "-6"]) await host.exec("ip", [family, "route", "flush", "cache"]);
}

void DEVICE;
