/**
 * Three VNIs in one agent and three VXLAN devices of the kernel's on one port, each with a station behind it:
 *
 *   station-p<vni> ── br<vni> ── t<vni> (one poplin) ── eth0 ┐ switch
 *   station-k<vni> ── br<vni> ── t<vni> (the kernel's) ─ eth0 ┘
 *
 * All stations at p are 10.9.0.1, all at k 10.9.0.2: only the VNI tells them apart.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { Cluster } from "../../src/lab/cluster.ts";
import type { Host } from "../../src/lab/host.ts";
import { ping as pingHost } from "../../src/lab/ping.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { hasDevice, reload } from "./agents.ts";

const VNIS = [100, 200, 300];
const PORT = 8472;
const UNKNOWN = 400;

const mac = (side: "p" | "k", vni: number): string => `02:99:00:00:0${vni / 100}:0${side === "p" ? 1 : 2}`;

/** A bridge on the host with the overlay's device and a station. */
function station(cluster: Cluster, host: Host, side: "p" | "k", vni: number): Host {
  const one = cluster.lab.addHost(`station-${side}${vni}`);
  cluster.lab.cable({ host, name: `s${vni}` }, { host: one, name: "eth0" }, 1430);
  host.ip(
    `link add br${vni} mtu 1430 type bridge`,
    `link set br${vni} up`,
    `link set s${vni} master br${vni}`,
    `link set t${vni} master br${vni}`,
    `link set t${vni} up`,
  );
  one.ip(
    "link set eth0 down",
    `link set eth0 address ${mac(side, vni)}`,
    "link set eth0 up",
    `addr add 10.9.0.${side === "p" ? 1 : 2}/24 dev eth0`,
  );
  return one;
}

/** @returns how many of them were answered */
async function ping(from: Host, count = 3): Promise<number> {
  return (await pingHost(from, "10.9.0.2", { count, interval: 0.2 })).answered;
}

describeWith([lab(), tool("ping"), tool("bridge")], "three VNIs in one agent", () => {
  let cluster: Cluster;
  let node: PoplinNode;
  let kernel: Host;
  let remote: string;
  const stations = new Map<number, Host>();

  const overlays = () => VNIS.map((vni) => ({ vni, device: `t${vni}`, remote, mtu: 1430 }));

  beforeAll(async () => {
    const nodes = [
      { name: "node-p", kind: "poplin" as const },
      { name: "node-k", kind: "kernel" as const },
    ];
    cluster = Cluster.build({ nodes });
    node = cluster.poplin("node-p");
    const other = cluster.node("node-k");
    kernel = other.host;
    remote = other.plan.address;
    const { address: local } = node.plan;
    const { socket } = node;
    node.config = { local, port: PORT, socket, learning: true, overlays: overlays(), peers: [] };
    // Devices of the kernel's with our names and on our port are taken over.
    node.host.ip(
      ...VNIS.map((vni) => `link add t${vni} type vxlan id ${vni} dev eth0 local ${local} dstport ${PORT}`),
    );
    kernel.ip(
      ...[...VNIS, UNKNOWN].map(
        (vni) =>
          `link add t${vni} mtu 1430 type vxlan id ${vni} dev eth0 local ${remote} remote ${local} dstport ${PORT}`,
      ),
    );
    for (const vni of [...VNIS, UNKNOWN]) station(cluster, kernel, "k", vni);
    await node.start([]);
    for (const vni of VNIS) stations.set(vni, station(cluster, node.host, "p", vni));
  });
  afterAll(() => cluster?.destroy());

  it("keeps tenants with the same addresses apart", async () => {
    expect(await Promise.all(VNIS.map((vni) => ping(stations.get(vni)!)))).toEqual([3, 3, 3]);
    for (const vni of VNIS) {
      const learned = (await node.client.fdb({ vni })).filter(({ state }) => state !== "permanent");
      expect(learned.map((row) => [row.vni, row.mac, row.dst])).toContainEqual([vni, mac("k", vni), remote]);
      const own = VNIS.filter((other) => other !== vni).map((other) => mac("k", other));
      expect(learned.filter((row) => own.includes(row.mac))).toEqual([]);
      const { stdout } = await stations.get(vni)!.exec("ip", ["neigh", "show", "10.9.0.2"]);
      expect(stdout).toContain(mac("k", vni));
    }
    const all = await node.client.fdb();
    expect([...new Set(all.map(({ vni }) => vni))].sort()).toEqual(VNIS);
  });

  it("says in its status what each is", async () => {
    const status = await node.status();
    expect(status.state).toBe("running");
    expect(status.overlays.map(({ device, learning }) => [device.vni, device.name, learning.on])).toEqual(
      VNIS.map((vni) => [vni, `t${vni}`, true]),
    );
    expect(status.device).toEqual(status.overlays[0]!.device);
  });

  it("counts each by itself, and all together", async () => {
    const [before, all] = [await node.client.stats({ vni: 200 }), await node.client.stats()];
    const silent = await node.client.stats({ vni: 300 });
    await ping(stations.get(200)!, 5);
    const after = await node.client.stats({ vni: 200 });
    expect(after.rxFrames - before.rxFrames).toBeGreaterThanOrEqual(5);
    expect((await node.client.stats()).rxFrames - all.rxFrames).toBeGreaterThanOrEqual(5);
    expect((await node.client.stats({ vni: 300 })).rxFrames - silent.rxFrames).toBeLessThan(5);
  });

  it("drops and counts what has a VNI that is none of them", async () => {
    const before = (await node.client.stats()).drops.rx.VXLAN_VNI_NOT_FOUND ?? 0;
    const lost = cluster.lab.host(`station-k${UNKNOWN}`);
    await lost.exec("ping", ["-c", "2", "-i", "0.2", "-W", "1", "10.9.0.1"], { check: false });
    expect((await node.client.stats()).drops.rx.VXLAN_VNI_NOT_FOUND ?? 0).toBeGreaterThan(before);
  });

  it("refuses a VNI that it does not have, and a change that does not say whose it is", async () => {
    await expect(node.client.fdb({ vni: UNKNOWN })).rejects.toMatchObject({ reason: "NO_SUCH_VNI" });
    const row = { op: "add", mac: "02:99:00:00:00:99", dst: remote } as const;
    await expect(node.client.changeFdb(row)).rejects.toMatchObject({ reason: "WHICH_VNI" });
    await node.client.changeFdb(row, { vni: 300 });
    const has = async (vni: number) => (await node.client.fdb({ vni })).some((one) => one.mac === row.mac);
    expect([await has(200), await has(300)]).toEqual([false, true]);
  });

  it("is asked and told by the words of iproute2", async () => {
    const rows = (await node.poplin(["fdb", "show"])).stdout;
    expect(rows).toContain(`00:00:00:00:00:00 dev t100 dst ${remote} self permanent`);
    expect(rows).toContain("dev t300 dst");
    const one = (await node.poplin(["fdb", "show", "dev", "t200"])).stdout;
    expect(one).toContain(`${mac("k", 200)} dst ${remote} self`);
    expect(one).not.toMatch(/dev |02:99:00:00:00:99/);
    await node.poplin(["fdb", "del", "02:99:00:00:00:99", "dev", "t300"]);
    expect((await node.poplin(["fdb", "--vni", "300"])).stdout).not.toContain("02:99:00:00:00:99");
    await node.poplin(["neigh", "add", "10.9.0.9", "lladdr", "02:99:00:00:00:09", "dev", "t200"]);
    expect((await node.poplin(["neigh"])).stdout).toBe(
      "10.9.0.9 dev t200 lladdr 02:99:00:00:00:09 PERMANENT\n",
    );
    const lost = await node.poplin(["fdb", "add", "02:99:00:00:00:98", "dst", remote], { check: false });
    expect(lost.status).toBe(2);
    expect(lost.stderr).toContain("say which by its VNI: 100, 200, 300");
    expect((await node.poplin(["status"])).stdout).toContain("t300: VNI 300");
  });

  it("goes on in one while another is flooded with all that fits", async () => {
    const burst = stations.get(100)!.exec("ping", ["-f", "-l", "50", "-s", "1300", "-w", "3", "10.9.0.2"], {
      check: false,
    });
    expect(await ping(stations.get(300)!, 5)).toBe(5);
    await burst;
  });

  it("reloads one overlay and leaves the others; one more needs a restart", async () => {
    const changed = overlays().map((one) =>
      one.vni === 200 ? { ...one, remote: [], learning: false } : one,
    );
    node.config = { ...node.config, overlays: changed };
    expect(await reload(node)).toMatchObject({
      ok: true,
      message: `VNI 200 remote: ${remote} → none; VNI 200 learning: true → false`,
    });
    await node.client.flushFdb({ vni: 200 });
    expect(await Promise.all(VNIS.map((vni) => ping(stations.get(vni)!)))).toEqual([3, 0, 3]);
    node.config = { ...node.config, overlays: [...overlays(), { vni: UNKNOWN }] };
    expect(await reload(node)).toMatchObject({
      ok: false,
      message: expect.stringContaining("overlays: 100,"),
    });
    node.config = { ...node.config, overlays: overlays() };
    expect(await reload(node)).toMatchObject({ ok: true });
    expect(await ping(stations.get(200)!)).toBe(3);
  });

  it("finds its devices again after a restart; cleanup removes them all", async () => {
    const macs = (await node.status()).overlays.map(({ device }) => device.mac);
    expect(await node.stop("SIGKILL")).toBe(null);
    await node.startAgent();
    expect((await node.status()).overlays.map(({ device }) => device.mac)).toEqual(macs);
    expect(await Promise.all(VNIS.map((vni) => ping(stations.get(vni)!)))).toEqual([3, 3, 3]);
    expect(await node.stop()).toBe(0);
    const { stdout } = await node.poplin(["cleanup", "--config", node.configFile]);
    for (const vni of VNIS) expect(stdout).toContain(`removed t${vni}`);
    expect(await Promise.all(VNIS.map((vni) => hasDevice(node.host, `t${vni}`)))).toEqual([
      false,
      false,
      false,
    ]);
  });
});
