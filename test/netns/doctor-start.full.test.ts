/** `poplin doctor --pre`, and hosts on which the agent is not what it should be: one at a time is wrong. */
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { POPLIN } from "../../src/lab/agent-process.ts";
import { Cluster } from "../../src/lab/cluster.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { codes, doctor, type Examined, examined, healthy } from "./examined.ts";

let cluster: Cluster;
let a: PoplinNode;

/** Runs doctor under a shell command that ends with it: `{}`. */
async function under(script: string, ...args: string[]): Promise<Examined> {
  const words = [process.execPath, POPLIN, "doctor", "-j", ...args].map((word) => `'${word}'`).join(" ");
  const env = { ...process.env, POPLIN_SOCKET: a.socket };
  return examined(await a.host.exec("sh", ["-ec", script.replace("{}", words)], { check: false, env }));
}

describeWith([lab(), tool("setpriv")], "poplin doctor before, after and without an agent", () => {
  beforeAll(() => {
    cluster = Cluster.build({
      nodes: [
        { name: "node-a", kind: "poplin" },
        { name: "node-b", kind: "poplin" },
      ],
    });
    a = cluster.poplin("node-a");
    a.setPeers(cluster.peersOf(a));
  });
  afterAll(() => cluster?.destroy());

  const pre = (): string[] => ["--pre", "--config", a.configFile];

  it("finds nothing in the way of an agent", async () => {
    expect(await doctor(a, ...pre())).toMatchObject({ status: 0, findings: [] });
  });

  it.each([
    ["no /dev/net/tun", "mount -t tmpfs none /dev/net; {}", "tun-missing", 1],
    ["no CAP_NET_ADMIN", "setpriv --bounding-set -net_admin {}", "no-net-admin", 4],
    [
      "a port that a process has",
      `'${process.execPath}' -e 'require("dgram").createSocket("udp4").bind(8472)' 2>/dev/null >&2 & ` +
        "sleep 1; {} || status=$?; kill $!; exit $status",
      "port-taken",
      1,
    ],
    [
      "a port that the kernel's VXLAN has",
      "ip link add vx9 type vxlan id 9 dev eth0 dstport 8472; ip link set vx9 up; {} || status=$?; ip link del vx9; exit $status",
      "port-taken",
      1,
    ],
    [
      "a device of this name that is a bridge",
      "ip link add flannel.1 type bridge; {} || status=$?; ip link del flannel.1; exit $status",
      "device-taken",
      1,
    ],
    [
      "an address that the host does not have",
      "ip addr del 172.19.0.2/16 dev eth0; {} || status=$?; ip addr add 172.19.0.2/16 dev eth0; exit $status",
      "no-uplink",
      1,
    ],
    [
      "forwarding off",
      "echo 0 > /proc/sys/net/ipv4/ip_forward; {}; echo 1 > /proc/sys/net/ipv4/ip_forward",
      "forwarding-off-yet",
      0,
    ],
  ] as const)("--pre finds %s, and nothing else", async (_, script, code, status) => {
    const found = await under(script, ...pre());
    expect([codes(found), found.status], found.text).toEqual([[code], status]);
    for (const { seen, why, remedy, proof } of found.findings) {
      expect([seen, why, remedy, proof]).not.toContain("");
    }
    expect(codes(await doctor(a, ...pre()))).toEqual([]);
  });

  it("names who has the port", async () => {
    const found = await under(
      "ip link add vx9 type vxlan id 9 dev eth0 dstport 8472; ip link set vx9 up; {} || :; ip link del vx9",
      ...pre(),
    );
    expect(found.findings[0]).toMatchObject({
      seen: expect.stringMatching(/vx9/),
      remedy: expect.stringMatching(/ip link del vx9/),
    });
  });

  it("exits with 2 for a configuration that is none", async () => {
    const file = cluster.lab.file("wrong.yaml");
    writeFileSync(file, "vni: many\n");
    expect((await doctor(a, "--pre", "--config", file)).status).toBe(2);
    expect((await doctor(a, "--nonsense")).status).toBe(2);
  });

  it("says that no agent runs, and what a killed one has left", async () => {
    expect(codes(await doctor(a))).toEqual(["agent-absent"]);
    await cluster.startAll();
    await healthy(a);
    // Its own device and port are in nobody's way.
    const beside = await doctor(a, ...pre());
    expect([codes(beside), beside.status]).toEqual([["agent-running"], 1]);
    expect(beside.findings[0]!.seen).toBe(`poplin runs here already, pid ${a.pid}`);
    await a.stop("SIGKILL");
    const found = await doctor(a);
    expect([codes(found), found.status]).toEqual([["device-stale"], 1]);
    expect(found.findings[0]!.seen).toMatch(/flannel\.1 is there with a route, and no process holds it/);
    await a.poplin(["cleanup"]);
    expect(codes(await doctor(a))).toEqual(["agent-absent"]);
    await a.startAgent();
    await healthy(a);
  });

  it("finds what it may not do itself beside a running agent", async () => {
    const admin = await under("setpriv --bounding-set -net_admin {}");
    expect([codes(admin), admin.status], admin.text).toEqual([["no-net-admin"], 4]);
    const raw = await under("setpriv --bounding-set -net_raw {}");
    expect([codes(raw), raw.status], raw.text).toEqual([["no-net-raw"], 0]);
    const tun = await under("mount -t tmpfs none /dev/net; {}");
    expect([codes(tun), tun.status], tun.text).toEqual([["tun-missing"], 1]);
  });

  it("finds an overlay that is larger than the uplink", async () => {
    const { config } = a;
    await a.stop();
    a.config = { ...config, mtu: 1500 };
    a.writeConfig();
    await a.startAgent();
    a.host.ip("link set cni0 mtu 1500");
    const found = await doctor(a);
    expect([codes(found), found.status], found.text).toEqual([["mtu-too-big"], 1]);
    expect(found.findings[0]!.proof).toMatch(/1550 bytes with DF set did not leave \(EMSGSIZE\)/);
    await a.stop();
    a.config = config;
    a.writeConfig();
    a.host.ip("link set cni0 mtu 1450");
    await a.startAgent();
    await healthy(a);
  });
});
