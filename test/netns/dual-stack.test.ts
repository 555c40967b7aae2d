/**
 * An agent with two underlays against a host with two VXLAN devices of the kernel's, as flannel has them with dual stack:
 *
 *   pod-a ── node-a ── flannel.1    VNI 1, port 8472 ── over IPv4 ── flannel.1    ── node-b (kernel) ── pod-b
 *                  └── flannel-v6.1 VNI 1, port 8472 ── over IPv6 ── flannel-v6.1 ──┘
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Output, outputOf } from "../../src/host/output.ts";
import { Cluster } from "../../src/lab/cluster.ts";
import type { LabNode } from "../../src/lab/node.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { hasDevice, until as untilSoon } from "./agents.ts";
import { ipv6, ping, podOf, serve, stream } from "./pods.ts";
import { Pinger } from "./traffic/ping.ts";

const NODE = new URL("./dual-stack-node.mjs", import.meta.url).pathname;
const FOUR = "flannel.1";
const SIX = "flannel-v6.1";
/** MAC of node-b's device over IPv6: that over IPv4 has its plan's. */
const PEER6 = "0a:58:0a:f4:66:02";
/** Milliseconds for what takes a fraction of it: no test fails because the machine is slow. */
const PATIENCE = 30_000;
const MTU = { [FOUR]: 1450, [SIX]: 1430 };

const until: typeof untilSoon = (what, probe) => untilSoon(what, probe, PATIENCE);

describeWith([lab(), ipv6(), tool("ping"), tool("bridge")], "two underlays, one VNI, one port", () => {
  let cluster: Cluster;
  let a: PoplinNode;
  let b: LabNode;
  let agent: ChildProcess;
  let configFile: string;
  let configs: Record<string, unknown>[];
  let said: Output;

  function writeConfigs(): void {
    writeFileSync(configFile, JSON.stringify(configs));
  }

  async function update(): Promise<string> {
    const before = said.stdout.length;
    writeConfigs();
    agent.kill("SIGHUP");
    return until("the end of the update", () => /(.*updated.*)\n/.exec(said.stdout.slice(before))?.[1]);
  }

  function peerConfigs(): Record<string, unknown>[] {
    const { plan } = b;
    const shared = { vni: 1, port: 8472, socket: a.socket };
    return [
      {
        ...{ ...shared, device: FOUR, mtu: MTU[FOUR], local: a.plan.address },
        ...{ address: `${a.plan.overlay}/32`, vtepMac: a.plan.vtepMac },
        peers: [{ publicIp: plan.address, vtepMac: plan.vtepMac, subnet: plan.subnet }],
      },
      {
        ...{ ...shared, device: SIX, mtu: MTU[SIX], local: a.plan.address6 },
        ...{ address: `${a.plan.overlay6}/128`, queues: 2 },
        peers: [{ publicIp: plan.address6, vtepMac: PEER6, subnet: plan.subnet6 }],
      },
    ];
  }

  /** As flanneld makes them. */
  function makeKernelDevices(node: LabNode, mac4: string, mac6: string): void {
    const { address, address6 } = node.plan;
    const device = (name: keyof typeof MTU, mac: string, local: string): string =>
      `link add ${name} address ${mac} mtu ${MTU[name]} type vxlan id 1 dev eth0 local ${local} dstport 8472 nolearning`;
    node.host.ip(
      device(FOUR, mac4, address),
      device(SIX, mac6, address6),
      `link set ${FOUR} up`,
      `link set ${SIX} up`,
    );
  }

  /** node-b's rows for node-a. */
  async function knowUs(mac6: string): Promise<void> {
    const { overlay, overlay6, subnet, subnet6, vtepMac, address, address6 } = a.plan;
    const row = (device: string, via: string, to: string, mac: string): string[] => [
      `neigh replace ${via} lladdr ${mac} dev ${device} nud permanent`,
      `route replace ${to} via ${via} dev ${device} onlink`,
    ];
    b.host.ip(...row(FOUR, overlay, subnet, vtepMac), ...row(SIX, overlay6, subnet6, mac6));
    const fdb = (device: string, mac: string, dst: string) =>
      b.host.exec("bridge", ["fdb", "replace", mac, "dev", device, "dst", dst, "self", "permanent"]);
    await Promise.all([fdb(FOUR, vtepMac, address), fdb(SIX, mac6, address6)]);
  }

  async function macOf(device: string): Promise<string | undefined> {
    const { overlays } = await a.client.status();
    return overlays.find((overlay) => overlay.device.name === device)?.device.mac;
  }

  beforeAll(async () => {
    const nodes = [
      { name: "node-a", kind: "poplin" as const },
      { name: "node-b", kind: "kernel" as const },
    ];
    cluster = Cluster.build({ nodes, ipv6: true });
    a = cluster.poplin("node-a");
    b = cluster.node("node-b");
    makeKernelDevices(b, b.plan.vtepMac, PEER6);
    b.host.ip(`addr add ${b.plan.overlay}/32 dev ${FOUR}`, `addr add ${b.plan.overlay6}/128 dev ${SIX}`);
    // Both are the kernel's here, too, and up on the port: they are taken over one after the other.
    makeKernelDevices(a, a.plan.vtepMac, "0a:58:0a:f4:66:01");
    configFile = cluster.lab.file("dual.json");
    configs = peerConfigs();
    writeConfigs();
    agent = a.host.spawn(process.execPath, [NODE, configFile], { stdio: ["ignore", "pipe", "pipe"] });
    said = outputOf(agent);
    await until("the start", () => said.stdout.includes("forwarding") || agent.exitCode !== null);
    expect([agent.exitCode, said.stderr]).toEqual([
      null,
      expect.stringContaining(`forwarding VNI 1 between ${SIX}`),
    ]);
    await knowUs((await macOf(SIX))!);
    await serve(b.pod);
  });
  afterAll(() => cluster?.destroy());

  it("carries IPv4 over IPv4 and IPv6 over IPv6: pings of every size, and TCP both ways", async () => {
    const before = [await a.client.stats({ dev: FOUR }), await a.client.stats({ dev: SIX })];
    expect(await ping(a.pod, podOf(b, 4), [0, 56, 1000, 1422])).toBe("");
    expect(await ping(a.pod, podOf(b, 6), [0, 56, 1000, 1382])).toBe("");
    for (const family of [4, 6] as const) {
      expect(await stream(a.pod, podOf(b, family), 3_000_000)).toEqual({ sent: true, received: true });
    }
    const after = [await a.client.stats({ dev: FOUR }), await a.client.stats({ dev: SIX })];
    const all = await a.client.stats();
    for (const [i, one] of after.entries()) {
      expect(one.txBytes - before[i]!.txBytes).toBeGreaterThan(3_000_000);
      expect(one.rxBytes - before[i]!.rxBytes).toBeGreaterThan(3_000_000);
    }
    expect(all.txBytes).toBeGreaterThanOrEqual(after[0]!.txBytes + after[1]!.txBytes);
    // Not a datagram of the one has come to the other's socket.
    expect(all.drops.rx).toEqual({});
  });

  it("says in its status what goes over which underlay, and that all is well", async () => {
    const status = await a.client.status();
    expect([status.state, status.health]).toEqual(["running", []]);
    expect(status.overlays.map(({ device, peers }) => [device.name, device.vni, peers[0]!.state])).toEqual([
      [FOUR, 1, "ok"],
      [SIX, 1, "ok"],
    ]);
    expect(
      status.underlays.map(({ devices, family, local, port }) => [devices, family, local, port]),
    ).toEqual([
      [[FOUR], 4, a.plan.address, 8472],
      [[SIX], 6, a.plan.address6, 8472],
    ]);
    for (const { dataplane, capabilities } of status.underlays) {
      expect(dataplane.slots!.rx.free).toBeGreaterThan(0);
      expect(capabilities.df).toBe(true);
    }
    expect(status.underlays.map(({ dataplane }) => dataplane.queues)).toEqual([status.dataplane.queues, 2]);
    expect(status.underlay).toMatchObject({ family: 4, local: a.plan.address });
    const { stdout } = await a.poplin(["status"]);
    expect(stdout).toMatch(new RegExp(`^${SIX}: VNI 1, MTU 1430`, "m"));
    expect(stdout).toMatch(
      new RegExp(`^ {2}underlay {3}batch, UDP \\[${a.plan.address6}\\]:8472 over eth0`, "m"),
    );
    for (const line of stdout.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
    expect((await a.poplin(["status", "-b"])).stdout).toMatch(/2 overlays, 2 peers/);
  });

  it("is asked and told by device; a VNI alone reads both and changes neither", async () => {
    const rows = async (choice = {}) =>
      (await a.client.fdb(choice)).map(({ dev, mac, dst }) => [dev, mac, dst]);
    const four = [FOUR, b.plan.vtepMac, b.plan.address];
    const six = [SIX, PEER6, b.plan.address6];
    expect(await rows()).toEqual([four, six]);
    expect(await rows({ vni: 1 })).toEqual([four, six]);
    expect(await rows({ dev: SIX })).toEqual([six]);
    const row = { op: "add", mac: "02:00:00:00:00:99", dst: "fd00:172:19::99" } as const;
    await expect(a.client.changeFdb(row, { vni: 1 })).rejects.toMatchObject({
      reason: "WHICH_VNI",
      message: "the agent has several overlays with VNI 1",
      remedy: `say which by its device: dev ${FOUR}, or dev ${SIX}`,
    });
    const added = await a.poplin(["fdb", "add", row.mac, "dst", row.dst, "dev", SIX, "-j"]);
    expect(JSON.parse(added.stdout)).toMatchObject({ ifname: SIX, dst: row.dst });
    expect((await a.poplin(["fdb", "show", "dev", FOUR])).stdout).toBe(
      `${b.plan.vtepMac} dst ${b.plan.address} self permanent\n`,
    );
    expect((await a.poplin(["fdb", "show"])).stdout).toContain(
      `${row.mac} dev ${SIX} dst ${row.dst} self permanent`,
    );
    const wrong = await a.poplin(["fdb", "replace", row.mac, "dst", row.dst, "dev", FOUR], { check: false });
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining("give an IPv4 address")]);
    expect((await a.poplin(["fdb", "why", PEER6, "dev", SIX])).stdout).toContain(`is behind ${six[2]}`);
    await a.poplin(["fdb", "del", row.mac, "dev", SIX]);
    expect(await rows({ dev: SIX })).toEqual([six]);
  });

  it("lists what somebody has changed in either, and puts it right when asked", async () => {
    expect((await a.poplin(["reconcile", "--dry-run"])).stdout).toBe("everything is in place\n");
    // Of the forwarding table's changes the kernel tells nobody.
    const { vtepMac } = b.plan;
    await a.client.changeFdb({ op: "replace", mac: vtepMac, dst: "172.19.0.77" }, { dev: FOUR });
    await a.client.changeFdb({ op: "del", mac: PEER6 }, { dev: SIX });
    const steps = [
      `${FOUR}: fdb replace ${vtepMac} dst ${b.plan.address} port 8472`,
      `${SIX}: fdb replace ${PEER6} dst ${b.plan.address6} port 8472`,
    ];
    const dry = await a.poplin(["reconcile", "--dry-run"], { check: false });
    expect([dry.status, dry.stdout.trim().split("\n")]).toEqual([1, steps]);
    const { health } = await a.client.status();
    expect(health.map(({ message }) => message.split(":")[0])).toEqual(
      Array(2).fill("rows are missing or different"),
    );
    expect((await a.poplin(["reconcile"])).stdout).toBe("2 rows changed\n");
    expect(await a.client.plan()).toEqual([]);
  });

  it("puts right by itself what somebody has changed in the kernel, in either, within a second", async () => {
    const mac = await macOf(SIX);
    a.host.ip(
      `neigh del ${b.plan.overlay} dev ${FOUR}`,
      `route del ${b.plan.subnet6} dev ${SIX}`,
      `link set ${FOUR} mtu 1400`,
      // A device with another MAC loses its neighbours when it gets its own back.
      `link set ${SIX} address 02:00:00:00:00:77`,
    );
    await until("all rows", async () => (await macOf(SIX)) === mac && (await a.client.plan()).length === 0);
    expect(await ping(a.pod, podOf(b, 4), [56])).toBe("");
    expect(await ping(a.pod, podOf(b, 6), [56])).toBe("");
  });

  for (const [lost, other] of [
    [FOUR, SIX],
    [SIX, FOUR],
  ] as const) {
    it(`${lost} is deleted: it comes back with its MAC and rows, and ${other} loses nothing`, async () => {
      const mac = await macOf(lost);
      const pinger = new Pinger(a.pod, podOf(b, other === FOUR ? 4 : 6));
      await pinger.next(PATIENCE);
      const starts = said.stderr.split("forwarding VNI").length;
      a.host.ip(`link del ${lost}`);
      await until("its loss", () => said.stderr.includes(`${lost} is gone`));
      await expect(
        a.client.changeFdb({ op: "del", mac: "02:00:00:00:00:99" }, { vni: 1 }),
      ).rejects.toMatchObject({ reason: "WHICH_VNI" });
      await until("the new device", () => said.stderr.split("forwarding VNI").length > starts);
      await pinger.next(PATIENCE);
      expect(await pinger.stop()).toMatchObject({ lost: [], duplicates: 0 });
      expect(await macOf(lost)).toBe(mac);
      expect(await ping(a.pod, podOf(b, lost === FOUR ? 4 : 6), [56, 1000])).toBe("");
      expect(await a.client.plan()).toEqual([]);
      expect((await a.client.status()).state).toBe("running");
    });
  }

  it("tells what happens in both by device, also in one that was made anew meanwhile", async () => {
    configs = configs.map((config) => ({ ...config, l2miss: true }));
    expect(await update()).toBe("updated");
    const events = await a.client.events(AbortSignal.timeout(PATIENCE));
    const starts = said.stderr.split("forwarding VNI").length;
    a.host.ip(`link del ${FOUR}`);
    await until("the new device", () => said.stderr.split("forwarding VNI").length > starts);
    const stranger = "02:00:00:00:00:55";
    // Not permanent: those are the agent's to take away, which the next comparison does.
    a.host.ip(
      `neigh replace 10.99.0.1 lladdr ${stranger} dev ${FOUR} nud noarp`,
      `route replace 10.99.0.1 dev ${FOUR}`,
      `neigh replace fd99::1 lladdr ${stranger} dev ${SIX} nud noarp`,
      `route replace fd99::1 dev ${SIX}`,
    );
    const asking = ["10.99.0.1", "fd99::1"].map((to) => new Pinger(a.host, to, { interval: 0.2 }));
    const heard = new Set<string>();
    for await (const event of events) {
      if (event.type !== "lost") heard.add(`${event.type} ${event.vni} ${event.dev}`);
      if (heard.size === 2) break;
    }
    await Promise.all(asking.map((pinger) => pinger.kill()));
    expect(heard).toEqual(new Set([`l2miss 1 ${FOUR}`, `l2miss 1 ${SIX}`]));
  });

  it("an update opens anew what has to be, with its MAC, and leaves the other alone", async () => {
    const mac = await macOf(SIX);
    const pinger = new Pinger(a.pod, podOf(b, 4));
    await pinger.next(PATIENCE);
    configs = [configs[0]!, { ...configs[1], mtu: 1400 }];
    expect(await update()).toBe("updated");
    await pinger.next(PATIENCE);
    expect((await pinger.stop()).lost).toEqual([]);
    const status = await a.client.status();
    expect(status.overlays.map(({ device }) => device.mtu)).toEqual([1450, 1400]);
    expect([await macOf(SIX), status.state]).toEqual([mac, "running"]);
    expect(await ping(a.pod, podOf(b, 6), [56, 1300])).toBe("");
  });

  it("an update that cannot be made is tried again; the other is up to date meanwhile", async () => {
    const good = configs;
    configs = [
      { ...configs[0], address: [`${a.plan.overlay}/32`, "10.99.99.1/32"] },
      { ...configs[1], local: "fd00:172:19::dead" },
    ];
    expect(await update()).toMatch(/^not all updated: .*fd00:172:19::dead/);
    const status = await a.client.status();
    expect([status.state, status.health[0]]).toEqual([
      "degraded",
      expect.objectContaining({ message: `${SIX} forwards nothing: it is made anew` }),
    ]);
    expect(status.overlays[0]!.device.addresses).toContain("10.99.99.1/32");
    expect(await ping(a.pod, podOf(b, 4), [56])).toBe("");
    expect(await a.client.plan()).toEqual([`${SIX}: link add`]);
    configs = good;
    expect(await update()).toBe("updated");
    await until("both", async () => (await a.client.status()).state === "running");
    expect(await ping(a.pod, podOf(b, 6), [56])).toBe("");
  });

  it("an update may take an underlay away, with its device, and bring it back", async () => {
    const both = configs;
    const mac6 = await macOf(SIX);
    configs = both.slice(0, 1);
    expect(await update()).toBe("updated");
    expect([await hasDevice(a.host, FOUR), await hasDevice(a.host, SIX)]).toEqual([true, false]);
    expect((await a.client.status()).underlays).toHaveLength(1);
    configs = [both[0]!, { ...both[1], vtepMac: mac6 }];
    expect(await update()).toBe("updated");
    expect(await ping(a.pod, podOf(b, 6), [56])).toBe("");
  });

  it("leaves both devices when it is told to end", async () => {
    agent.kill("SIGTERM");
    await once(agent, "exit");
    expect(agent.exitCode).toBe(0);
    for (const device of [FOUR, SIX]) {
      expect(said.stderr).toContain(`${device} stays, with its addresses and rows`);
      expect(await hasDevice(a.host, device)).toBe(true);
    }
  });

  it("leaves nothing of the first where the second cannot be opened", async () => {
    a.host.ip(`link del ${FOUR}`, `link del ${SIX}`);
    configs = [configs[0]!, { ...configs[1], local: "fd00:172:19::dead" }];
    writeConfigs();
    const failed = await a.host.exec(process.execPath, [NODE, configFile], { check: false });
    expect(failed.stderr).toContain("fd00:172:19::dead");
    expect(failed.status).toBe(1);
    expect([await hasDevice(a.host, FOUR), await hasDevice(a.host, SIX)]).toEqual([false, false]);
  });
});
