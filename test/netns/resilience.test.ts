/** What goes wrong around an agent must not end it, nor make it say what is not so. */
import { chmodSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { POPLIN } from "../../src/lab/agent-process.ts";
import { Cluster } from "../../src/lab/cluster.ts";
import { DEVICE } from "../../src/lab/node.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { describeFull, describeWith, lab, tool } from "../helpers/needs.ts";
import { failingAgent, reload, rowsFor, rowsOf, until } from "./agents.ts";

let cluster: Cluster | undefined;
afterEach(() => cluster?.destroy());

async function start(): Promise<{ a: PoplinNode; cluster: Cluster }> {
  cluster = await Cluster.start({
    nodes: [
      { name: "node-a", kind: "poplin" },
      { name: "node-b", kind: "kernel" },
      { name: "node-c", kind: "kernel" },
    ],
  });
  return { a: cluster.poplin("node-a"), cluster };
}

const STRANGER = "02:00:00:00:00:99";

describeWith([lab()], "a start that cannot succeed", () => {
  it.each([
    ["the port is somebody else's", {}, /UDP port 8472 is taken by the kernel's VXLAN device/],
    ["the raw underlay cannot be had", { underlay: "raw", port: 8473 }, /CAP_NET_RAW|raw/],
  ])("leaves the kernel's VXLAN device of our name alone: %s", async (_, config, message) => {
    cluster = Cluster.build({ nodes: [{ name: "node-a", kind: "poplin", config }] });
    const a = cluster.poplin("node-a");
    a.setPeers([]);
    a.host.ip(
      "link add vx42 type vxlan id 42 dev eth0 dstport 8472",
      "link set vx42 up",
      `link add ${DEVICE} type vxlan id 1 dev eth0 dstport 8475 nolearning`,
      `link set ${DEVICE} up`,
    );
    const { status, stderr } = await failingAgent(a, [], ["setpriv", "--bounding-set", "-net_raw"]);
    expect(stderr).toMatch(message);
    expect(status).not.toBe(0);
    const { stdout } = await a.host.exec("ip", ["-d", "link", "show", "dev", DEVICE]);
    expect(stdout).toContain("vxlan id 1");
  });
});

describeWith([lab()], "whoever reads the agent's log goes away", () => {
  it("and the agent goes on, reloads, and ends when it is told", async () => {
    const { a } = await start();
    await a.stop();
    // The reader ends after the first line; every later one meets a closed pipe.
    const script = `exec "$0" "$1" agent --config "$2" 2> >(head -n 1 >&2)`;
    const agent = a.host.spawn("bash", ["-c", script, process.execPath, POPLIN, a.configFile], {
      stdio: "ignore",
    });
    const status = await until("the start", () => a.client.status().catch(() => undefined));
    for (let i = 0; i < 3; i++) {
      const before = (await a.client.status()).config.lastReload?.at;
      process.kill(status.pid, "SIGHUP");
      await until("the reload", async () => (await a.client.status()).config.lastReload?.at !== before);
    }
    const ended = new Promise((resolve) => agent.once("exit", resolve));
    process.kill(status.pid, "SIGTERM");
    expect(await ended).toBe(0);
  });
});

describeWith([lab()], "a row that was changed by hand", () => {
  it("and belongs to a peer is the peer's again after a reload, and goes with the peer", async () => {
    const { a, cluster } = await start();
    const [b, c] = [cluster.node("node-b").plan, cluster.node("node-c").plan];
    await a.poplin(["fdb", "replace", b.vtepMac, "dst", "172.19.0.77"]);
    await a.poplin(["fdb", "add", STRANGER, "dst", "172.19.0.78"]);
    await reload(a);
    const rows = async () => (await a.client.fdb()).map(({ mac, dst }) => `${mac} ${dst}`).sort();
    expect(await rows()).toContain(`${b.vtepMac} ${b.address}`);
    a.setPeers([c]);
    await reload(a);
    expect(await rows()).toEqual([`${STRANGER} 172.19.0.78`, `${c.vtepMac} ${c.address}`].sort());
  });
});

describeWith([lab(), tool("bash")], "a reload whose rows cannot be put in place", () => {
  it("says so, shows the peers as they are, and the next one puts it right", async () => {
    cluster = Cluster.build({
      nodes: [
        { name: "node-a", kind: "poplin" },
        { name: "node-b", kind: "kernel" },
      ],
    });
    const a = cluster.poplin("node-a");
    const b = cluster.node("node-b").plan;
    // An iproute2 that fails on demand.
    const folder = a.configFile.replace(/\/[^/]*$/, "");
    const broken = `${folder}/broken`;
    writeFileSync(
      `${folder}/ip`,
      `#!/bin/bash\n[ -e ${broken} ] && { echo "out of order" >&2; exit 1; }\nexec /sbin/ip "$@"\n`,
    );
    chmodSync(`${folder}/ip`, 0o755);
    const path = process.env.PATH;
    process.env.PATH = `${folder}:${path}`;
    try {
      a.setPeers([]);
      await a.startAgent();
    } finally {
      process.env.PATH = path;
    }
    writeFileSync(broken, "");
    a.setPeers([b]);
    const result = await reload(a);
    expect(result.ok).toBe(false);
    expect(a.log()).toMatch(/reloaded, but not all of it is in place: .*out of order/);
    const status = await a.status();
    expect(status.state).toBe("degraded");
    expect(status.peers[0]!.state).toMatch(/out of order/);
    rmSync(broken);
    expect(existsSync(broken)).toBe(false);
    expect(await reload(a)).toMatchObject({ ok: true });
    expect((await a.status()).state).toBe("running");
    expect((await rowsOf(a.host))!.routes).toEqual(rowsFor(a, [b]).routes);
  });
});

describeWith([lab()], "rows that somebody takes away", () => {
  it("come back with a reload, also when the file is the same", async () => {
    const { a, cluster } = await start();
    // Stopped, or it would put them back before we have looked.
    a.signal("SIGSTOP");
    a.host.ip(`link set ${DEVICE} down`, `link set ${DEVICE} up`, `neigh flush dev ${DEVICE} nud permanent`);
    expect((await rowsOf(a.host))!.routes).toEqual([]);
    a.signal("SIGCONT");
    await reload(a);
    expect(await rowsOf(a.host)).toEqual(
      rowsFor(a, [cluster.node("node-b").plan, cluster.node("node-c").plan]),
    );
  });
});

describeWith([lab()], "a device that has had no peers since its agent's start", () => {
  it("keeps the neighbours and routes that somebody else gives it, until the first peer comes", async () => {
    cluster = Cluster.build({
      nodes: [
        { name: "node-a", kind: "poplin" },
        { name: "node-b", kind: "kernel" },
      ],
    });
    const a = cluster.poplin("node-a");
    a.setPeers([]);
    await a.startAgent();
    const address = "10.244.77.0";
    const theirs = { neighbours: [`${address} ${STRANGER}`], routes: [`${address}/24 via ${address}`] };
    a.host.ip(
      `neigh add ${address} lladdr ${STRANGER} dev ${DEVICE} nud permanent`,
      `route add ${address}/24 via ${address} dev ${DEVICE} onlink`,
    );
    expect((await a.poplin(["reconcile"])).stdout).toBe("no row had to be changed\n");
    expect(await rowsOf(a.host)).toMatchObject(theirs);
    const { plan } = cluster.node("node-b");
    a.setPeers([plan]);
    await reload(a);
    expect(await rowsOf(a.host)).toMatchObject(rowsFor(a, [plan]));
  });
});

describeFull([lab()], "rows that somebody takes away", () => {
  it("come back by themselves", async () => {
    const { a, cluster } = await start();
    const peers = [cluster.node("node-b").plan, cluster.node("node-c").plan];
    a.host.ip(`link set ${DEVICE} mtu 1300 down`, `link set ${DEVICE} up`);
    await until("the next look", async () => (await rowsOf(a.host))!.routes.length === 2, 60_000);
    expect(await rowsOf(a.host)).toEqual(rowsFor(a, peers));
    expect((await a.status()).device.mtu).toBe(1450);
    expect(a.log()).toMatch(/rows that had been changed or were missing: \d+, put right/);
  }, 90_000);
});
