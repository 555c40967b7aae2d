/**
 * An agent as its systemd unit runs it: a user of its own, CAP_NET_ADMIN and, where it is needed, CAP_NET_RAW, on every
 * thread and for the programs that it runs. It does all that root's does.
 */
import { chmodSync, chownSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, expect, it } from "vitest";
import { threadRights } from "../../src/host/capabilities.ts";
import { AgentProcess } from "../../src/lab/agent-process.ts";
import { Cluster } from "../../src/lab/cluster.ts";
import type { FlannelNode } from "../../src/lab/flannel-node.ts";
import { DEVICE } from "../../src/lab/node.ts";
import { ping } from "../../src/lab/ping.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { describeWith, lab, optionalPackage, tool } from "../helpers/needs.ts";
import { hasDevice, rowsFor, rowsOf, until } from "./agents.ts";
import { allKnown, answers, DirectoryLab, lines } from "./flannel/cluster.ts";

/** A user that no machine has. */
const USER = 64_123;

/**
 * Around the command: /dev/net/tun that anybody may open, as udev makes it; and /proc/sys read-only, as
 * ProtectKernelTunables makes it.
 */
const SANDBOX = {
  tun: "mount -t tmpfs tmpfs /dev/net && mknod -m 666 /dev/net/tun c 10 200",
  tunables: "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys",
};

/** What runs a command as that user, with these capabilities and no way to get others. */
function confined(capabilities: readonly string[], sandbox: readonly string[] = [SANDBOX.tun]): string[] {
  const set = ["-all", ...capabilities.map((name) => `+${name}`)].join(",");
  const user = [`--reuid=${USER}`, `--regid=${USER}`, "--clear-groups", "--no-new-privs"];
  const sets = ["inh-caps", "ambient-caps", "bounding-set"].map((name) => `--${name}=${set}`);
  const script = [...sandbox, 'exec "$@"'].join(" && ");
  return ["unshare", "--mount", "sh", "-c", script, "sh", "setpriv", ...user, ...sets];
}

/** A folder that is the user's, on a path that he may walk. */
function giveAway(folder: string): void {
  chmodSync(dirname(folder), 0o755);
  chownSync(folder, USER, USER);
}

/** Holds every thread of a process to just these capabilities. */
function expectJust(pid: number, ...capabilities: readonly string[]): void {
  const threads = threadRights(pid);
  expect(threads.length).toBeGreaterThan(8);
  for (const { name, tid, ...rights } of threads) {
    const sets = {
      effective: capabilities,
      permitted: capabilities,
      ambient: capabilities,
      bounding: capabilities,
    };
    expect({ name, tid, ...rights }).toEqual({ name, tid, uid: USER, ...sets, noNewPrivileges: true });
  }
}

let cluster: Cluster | undefined;
let net: DirectoryLab | undefined;
afterEach(() => {
  cluster?.destroy();
  net?.destroy();
  cluster = net = undefined;
});

/** A poplin node and a kernel node; the agent, run as that user. */
async function start(underlay: "batch" | "raw", ...capabilities: readonly string[]) {
  cluster = Cluster.build({
    nodes: [
      { name: "node-a", kind: "poplin", underlay },
      { name: "node-k", kind: "kernel" },
    ],
  });
  const [node, peer] = [cluster.poplin("node-a"), cluster.node("node-k")];
  giveAway(dirname(node.socket));
  node.setPeers(cluster.peersOf(node));
  await peer.start(cluster.peersOf(peer));
  const agent = new AgentProcess(node.host, { socket: node.socket, log: node.logFile });
  await restart(agent, node, ...capabilities);
  return { node, peer, agent };
}

async function restart(
  agent: AgentProcess,
  node: PoplinNode,
  ...capabilities: readonly string[]
): Promise<void> {
  agent.spawn(["agent", "--config", node.configFile], {}, confined(capabilities));
  await agent.ready();
}

const NEEDS = [lab(), tool("setpriv"), tool("ping")];

describeWith(NEEDS, "an agent with CAP_NET_ADMIN alone", () => {
  it("forwards, sets and repairs its rows, makes its device anew, and takes it over after a kill", async () => {
    const { node, peer, agent } = await start("batch", "net_admin");
    expectJust(agent.pid, "CAP_NET_ADMIN");
    const { pod } = node;
    expect((await ping(pod, "10.244.2.2")).answered).toBe(3);
    const rows = rowsFor(node, [peer.plan]);
    expect(await rowsOf(node.host)).toEqual(rows);

    node.host.ip(`route del ${peer.plan.subnet} dev ${DEVICE}`);
    await until("the route", async () => (await rowsOf(node.host))?.routes.length === 1);
    const { index } = await linkOf(node);
    node.host.ip(`link del ${DEVICE}`);
    await until("another device", async () => (await linkOf(node)).index > index);
    await until("its rows", async () => JSON.stringify(await rowsOf(node.host)) === JSON.stringify(rows));
    expect((await ping(pod, "10.244.2.2")).answered).toBe(3);

    await agent.stop("SIGKILL");
    await restart(agent, node, "net_admin");
    expect((await ping(pod, "10.244.2.2")).answered).toBe(3);
    expect(agent.log()).not.toMatch(/ error /);

    // Nobody else may open the socket, and nobody else the TAP.
    expect(statSync(node.socket)).toMatchObject({ uid: USER, mode: 0o140600 });
    const tap = await node.host.exec("ip", ["-d", "-json", "link", "show", DEVICE]);
    expect(JSON.parse(tap.stdout)[0].linkinfo.info_data.user).toBe(USER);
  });

  it("is told by `poplin privileges` what it lacks for path MTUs, and root's what it has too much", async () => {
    const { node, agent } = await start("batch", "net_admin");
    const told = await agent.poplin(["privileges"], { check: false });
    expect(told.status).toBe(1);
    expect(told.stdout).toContain("missing: CAP_NET_RAW is not held\n");
    expect(told.stdout).toMatch(/CAP_NET_RAW +looks for path MTUs by pings \(pmtuProbe\)/);
    expect(told.stdout).toContain("holds nothing else\n");
    expect(agent.log()).toMatch(/ warn .*path MTUs cannot be probed: .*CAP_NET_RAW/);
    await agent.stop();

    await node.startAgent();
    const { stdout, status } = await node.poplin(["privileges"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^holds all of it, on every thread\nholds more: CAP_SYS_ADMIN, CAP_SYS_PTRACE, /m);
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });
});

describeWith(
  [...NEEDS, optionalPackage("raw-socket")],
  "an agent with the raw underlay and CAP_NET_RAW",
  () => {
    it("forwards, and needs and has nothing beside the two", async () => {
      const { node, agent } = await start("raw", "net_admin", "net_raw");
      expectJust(agent.pid, "CAP_NET_ADMIN", "CAP_NET_RAW");
      expect((await ping(node.pod, "10.244.2.2")).answered).toBe(3);
      const { stdout } = await agent.poplin(["privileges", "-j"]);
      expect(JSON.parse(stdout)).toMatchObject({ missing: [], excess: [] });
    });
  },
);

describeWith([...NEEDS, tool("iptables"), tool("nft")], "a flannel node of a user", () => {
  /** Such a node beside one of root's, which reach each other. */
  async function join(conf: object, wrapper: readonly string[], prepare: (node: FlannelNode) => void) {
    net = new DirectoryLab({ Network: "10.244.0.0/16", Backend: { Type: "vxlan" }, ...conf });
    const [a, b] = [net.node("node-a"), net.node("node-b")];
    for (const folder of [net.lab.file(""), net.directory, `${net.directory}/subnets`]) giveAway(folder);
    a.options = { ...a.options, wrapper };
    prepare(a);
    await Promise.all([a.start(), b.start()]);
    await allKnown([a, b]);
    expect(await answers(a, b.podIp)).toBe(true);
    expect(await answers(b, a.podIp)).toBe(true);
    expect(lines(a, / (warn|error) /)).toEqual([]);
    expect((await a.status()).state).toBe("running");
    expect((await a.poplin(["privileges"])).status).toBe(0);
    return a;
  }

  it("switches forwarding on and sets rules of iptables with CAP_NET_ADMIN and CAP_NET_RAW", async () => {
    const wrapper = confined(["net_admin", "net_raw"]);
    // The lab has done that already.
    const off = (node: FlannelNode): void => node.host.sysctl({ "net/ipv4/ip_forward": 0 });
    const node = await join({}, wrapper, off);
    expectJust(node.pid, "CAP_NET_ADMIN", "CAP_NET_RAW");
    expect((await node.host.exec("iptables", ["-t", "nat", "-S"])).stdout).toContain("FLANNEL-POSTRTG");
    expect(await node.stop()).toBe(0);
  });

  it("sets rules of nftables with CAP_NET_ADMIN where /proc/sys is read-only, and does without pings", async () => {
    const settings = { pmtuProbe: "off" };
    const wrapper = confined(["net_admin"], [SANDBOX.tun, SANDBOX.tunables]);
    const node = await join({ EnableNFTables: true }, wrapper, (node) => {
      const file = net!.lab.file("settings.json");
      writeFileSync(file, JSON.stringify(settings));
      node.options = { ...node.options, flags: [...node.options.flags, "--config", file] };
    });
    expectJust(node.pid, "CAP_NET_ADMIN");
    expect((await node.host.exec("nft", ["list", "ruleset"])).stdout).toMatch(/flannel/);
    expect(await node.stop()).toBe(0);
  });
});

async function linkOf(node: PoplinNode): Promise<{ index: number }> {
  if (!(await hasDevice(node.host))) return { index: 0 };
  const { stdout } = await node.host.exec("ip", ["-json", "link", "show", DEVICE], { check: false });
  return { index: Number(JSON.parse(stdout || "[]")[0]?.ifindex ?? 0) };
}
