/**
 * Two threads for one device and one port: everything that one thread does, done by two, and each flow by one of them.
 *
 *   node-a, node-b (poplin, two queues each), node-k (kernel VXLAN)
 */
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster } from "../../src/lab/cluster.ts";
import { iperf } from "../../src/lab/iperf.ts";
import { DEVICE, type LabNode } from "../../src/lab/node.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { failingAgent, hasDevice, reload, until } from "./agents.ts";
import { type Datagram, datagrams, ipv6, ping, podOf, serve, stream } from "./pods.ts";
import { Pinger } from "./traffic/ping.ts";

const STREAM_BYTES = 3 << 20;
const SIZES = [0, 1, 56, 1000, 1422];
const SENDS = [...SIZES, 4000, 60_000].map((bytes) => ({ bytes }));
/** Flows of a test: that all of them miss one of two queues happens once in a million. */
const FLOWS = 20;

describeWith([lab(), ipv6(), tool("ping"), tool("iperf3"), tool("ss")], "two queues", () => {
  let cluster: Cluster;
  let [a, b]: PoplinNode[] = [];
  let k: LabNode;

  beforeAll(async () => {
    const poplin = { kind: "poplin", config: { queues: 2 } } as const;
    cluster = await Cluster.start({
      ipv6: true,
      nodes: [
        { name: "node-a", ...poplin },
        { name: "node-b", ...poplin },
        { name: "node-k", kind: "kernel" },
      ],
    });
    [a, b] = [cluster.poplin("node-a"), cluster.poplin("node-b")];
    k = cluster.node("node-k");
    await Promise.all(cluster.nodes.map(({ pod }) => serve(pod)));
  });
  afterAll(() => cluster?.destroy());

  /** How many of some flows, each with a source port and so perhaps a queue of its own, reach the other pod. */
  async function flows(from: LabNode, to: LabNode): Promise<number> {
    const script = `
      for flow in $(seq ${FLOWS}); do ping -n -c 1 -W 1 ${podOf(to, 4)} >/dev/null && echo reached & done
      wait`;
    return (await from.pod.exec("sh", ["-c", script])).stdout.split("reached").length - 1;
  }

  it("are shown, and are two of the TAP and two sockets on one port", async () => {
    const status = await a!.status();
    expect(status.dataplane).toMatchObject({ driver: "worker", queues: 2 });
    expect((await a!.poplin(["status"])).stdout).toContain("worker, 2 queues");
    const { stdout } = await a!.host.exec("ip", ["-json", "-details", "link", "show", DEVICE]);
    expect(JSON.parse(stdout)[0].linkinfo.info_data.numqueues).toBe(2);
    const sockets = (await a!.host.exec("ss", ["-Hlun", "sport = :8472"])).stdout.trim().split("\n");
    expect(sockets).toHaveLength(2);
  });

  for (const [from, to] of [
    ["node-a", "node-b"],
    ["node-a", "node-k"],
    ["node-k", "node-a"],
  ] as const) {
    it.each([4, 6] as const)(`${from} → ${to}: ping, TCP and UDP over IPv%i`, async (family) => {
      const { pod } = cluster.node(from);
      const address = podOf(cluster.node(to), family);
      expect(
        await ping(
          pod,
          address,
          SIZES.filter((size) => family === 4 || size <= 1402),
        ),
      ).toBe("");
      expect(await stream(pod, address, STREAM_BYTES)).toEqual({ sent: true, received: true });
      const { sent, received } = await datagrams(pod, address, SENDS);
      // Fragments have no ports: they are a flow of their own, and may overtake the rest of theirs.
      expect(received.sort(byDigest)).toEqual(sent.sort(byDigest));
    });
  }

  it("both threads work when there are many flows, and their counters are added up", async () => {
    const before = await a!.client.stats();
    const busy = threadTimes(a!.pid);
    await iperf(b!.pod, a!.pod, podOf(a!, 4), ["-n", "64M", "-P", "8"]);
    const worked = [...threadTimes(a!.pid)].filter(([id, ns]) => ns - (busy.get(id) ?? 0) > 2e6);
    expect(worked.length).toBeGreaterThanOrEqual(2);
    const after = await a!.client.stats();
    expect(after.rxBytes - before.rxBytes).toBeGreaterThan(48 << 20);
  });

  it("a change by hand is made in both, or in none", async () => {
    const { vtepMac } = k.plan;
    const fdb = (...words: string[]) => a!.poplin(["fdb", ...words], { check: false });
    expect(await flows(k, a!)).toBe(FLOWS);
    expect((await fdb("add", vtepMac, "dst", k.vtepAddress())).status).not.toBe(0);
    expect((await fdb("replace", vtepMac, "dst", "172.19.0.99")).status).toBe(0);
    // What comes from the kernel's node is a stranger's now, on whichever socket, and what goes there goes astray.
    expect(await flows(k, a!)).toBe(0);
    expect((await fdb("del", vtepMac)).status).toBe(0);
    expect((await fdb("del", vtepMac)).status).not.toBe(0);
    expect((await fdb("add", vtepMac, "dst", k.vtepAddress())).status).toBe(0);
    expect(await flows(k, a!)).toBe(FLOWS);
    expect(await flows(a!, k)).toBe(FLOWS);
  });

  it("a reload reaches both: a peer goes and comes back, and no packet of the other one is lost", async () => {
    const steady = new Pinger(a!.pod, podOf(b!, 4), { interval: 0.005 });
    await steady.next();
    a!.setPeers([b!.plan]);
    expect(await reload(a!)).toMatchObject({ ok: true, message: "peer: 1 removed" });
    expect(await flows(k, a!)).toBe(0);
    a!.setPeers([b!.plan, k.plan]);
    expect(await reload(a!)).toMatchObject({ ok: true });
    expect(await flows(k, a!)).toBe(FLOWS);
    expect(await steady.stop()).toMatchObject({ lost: [], duplicates: 0 });
    a!.config = { ...a!.config, queues: 1 };
    expect(await reload(a!)).toMatchObject({ ok: false, message: expect.stringContaining("queues: 2 → 1") });
    a!.config = { ...a!.config, queues: 2 };
    expect((await reload(a!)).ok).toBe(true);
  });

  it("a second agent that would share the port is refused with the name of the first", async () => {
    const words = ["--socket", `${a!.socket}.second`, "--device", "flannel.9"];
    const { status, stderr } = await failingAgent(a!, words);
    expect(stderr).toMatch(new RegExp(`UDP port 8472 is taken by .*pid ${a!.pid}`));
    expect(status).toBe(1);
    expect(await hasDevice(a!.host, "flannel.9")).toBe(false);
    expect(await flows(k, a!)).toBe(FLOWS);
  });

  it("after a SIGKILL the next start takes the device over, with both queues", async () => {
    await a!.stop("SIGKILL");
    await a!.startAgent();
    expect(await flows(k, a!)).toBe(FLOWS);
    expect(await flows(a!, b!)).toBe(FLOWS);
    expect((await a!.status()).state).toBe("running");
    const { drops } = await a!.client.stats();
    expect(Object.keys(drops.rx).filter((reason) => reason !== "SOCKET_RCVBUFF")).toEqual([]);
  });

  it("are opened anew when somebody deletes the device", async () => {
    b!.host.ip(`link del ${DEVICE}`);
    await until("the new device", async () => /flannel\.1 is gone[\s\S]*forwarding VNI/.test(b!.log()));
    expect(await flows(a!, b!)).toBe(FLOWS);
    expect((await b!.status()).dataplane.queues).toBe(2);
  });
});

function byDigest([, a]: Datagram, [, b]: Datagram): number {
  return a < b ? -1 : 1;
}

/** Nanoseconds of CPU that each thread of a process has used. */
function threadTimes(pid: number): Map<string, number> {
  const folder = `/proc/${pid}/task`;
  return new Map(
    readdirSync(folder).map((id) => [
      id,
      Number(readFileSync(`${folder}/${id}/schedstat`, "utf8").split(" ")[0]),
    ]),
  );
}
