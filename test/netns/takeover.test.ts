/**
 * What may be in the way of an agent that starts. What is ours or flannel's it takes over or replaces; what is somebody
 * else's it leaves alone, and says whose it is. Whoever is refused leaves nothing behind and disturbs nobody.
 */
import { afterEach, expect, it } from "vitest";
import { POPLIN } from "../../src/lab/agent-process.ts";
import { Cluster } from "../../src/lab/cluster.ts";
import { DEVICE, type LabNode } from "../../src/lab/node.ts";
import { ping } from "../../src/lab/ping.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { describeWith, lab, optionalPackage, tool } from "../helpers/needs.ts";
import { failingAgent, hasDevice, rowsFor, rowsOf } from "./agents.ts";
import { Pinger } from "./traffic/ping.ts";

let cluster: Cluster | undefined;
afterEach(() => cluster?.destroy());

/** node-a, whose agent does not run yet, and node-b with the kernel's VXLAN. */
async function build(config: Record<string, unknown> = {}): Promise<{ a: PoplinNode; b: LabNode }> {
  cluster = Cluster.build({
    nodes: [
      { name: "node-a", kind: "poplin", config },
      { name: "node-b", kind: "kernel" },
    ],
  });
  const [a, b] = [cluster.poplin("node-a"), cluster.node("node-b")];
  await b.start(cluster.peersOf(b));
  a.setPeers(cluster.peersOf(a));
  return { a, b };
}

describeWith(
  [lab(), tool("ping")],
  "a second agent is refused with the name of the first, which goes on",
  () => {
    const cases = [
      ["with the same file", [], /an agent is already running: pid PID listens on/],
      [
        "with another socket, on the same device",
        ["--socket", "SOCKET"],
        /flannel\.1 is in use by .*pid PID/,
      ],
      [
        "with another device and socket, on the same port",
        ["--socket", "SOCKET", "--device", "flannel.9"],
        /UDP port 8472 is taken by .*pid PID/,
      ],
    ] as const;
    it.each(cases)("%s", async (_, args, message) => {
      const { a } = await build();
      await a.startAgent();
      const ping = new Pinger(a.pod, "10.244.2.2");
      await ping.next();
      const words = args.map((word) => (word === "SOCKET" ? `${a.socket}.second` : word));
      const { status, stderr } = await failingAgent(a, words);
      expect(stderr).toMatch(new RegExp(message.source.replace("PID", String(a.pid))));
      expect(status).toBe(1);
      expect(await hasDevice(a.host, "flannel.9")).toBe(false);
      const { lost, duplicates } = await ping.stop();
      expect({ lost, duplicates }).toEqual({ lost: [], duplicates: 0 });
      expect((await a.status()).state).toBe("running");
    });
  },
);

describeWith([lab(), tool("ping")], "a device of our name", () => {
  const replaced = [
    [
      "a TAP with a single queue",
      "tuntap add dev flannel.1 mode tap vnet_hdr",
      /made anew: it has a single queue/,
    ],
    [
      "a TAP without a vnet header",
      "tuntap add dev flannel.1 mode tap multi_queue",
      /made anew: it has no vnet header/,
    ],
    ["a TUN", "tuntap add dev flannel.1 mode tun multi_queue vnet_hdr", /made anew: it is a TUN/],
    [
      "flannel's VXLAN device of the kernel, which holds the port",
      "link add flannel.1 type vxlan id 1 dev eth0 dstport 8472 nolearning",
      /made anew: it is a VXLAN device/,
    ],
  ] as const;
  it.each(replaced)("%s is replaced, and its rows replayed", async (_, line, message) => {
    const { a, b } = await build();
    const tun = line.includes("mode tun");
    a.host.ip(
      line,
      `link set ${DEVICE} up`,
      `addr add 10.244.1.0/32 dev ${DEVICE}`,
      `addr add 10.99.0.1/24 dev ${DEVICE}`,
      "route add 10.244.9.0/24 via 10.244.9.0 dev flannel.1 onlink",
      ...(tun ? [] : [`neigh add 10.244.9.0 lladdr 02:00:00:00:00:09 dev ${DEVICE} nud permanent`]),
    );
    await a.startAgent();
    expect(a.log()).toMatch(message);
    expect((await ping(a.pod, "10.244.2.2")).answered).toBe(3);
    const rows = (await rowsOf(a.host))!;
    const wanted = rowsFor(a, [b.plan]);
    expect(rows.addresses).toEqual(["10.244.1.0/32", "10.99.0.1/24"]);
    expect(rows.neighbours).toEqual(wanted.neighbours);
    // Beside the peers', the one that the kernel makes for the foreign address; the route of a peer that is none is gone.
    expect(rows.routes.filter((row) => !row.startsWith("10.99."))).toEqual(wanted.routes);
  });

  it("a TAP as ours, left by an agent of long ago: taken over, what is stale goes and what is foreign stays", async () => {
    const { a, b } = await build();
    a.host.ip(
      `tuntap add dev ${DEVICE} mode tap multi_queue vnet_hdr`,
      `link set ${DEVICE} address 02:00:00:00:00:77 mtu 1400 up`,
      `addr add 10.244.7.0/32 dev ${DEVICE}`,
      `addr add 10.99.0.1/24 dev ${DEVICE}`,
      `neigh add 10.244.9.0 lladdr 02:00:00:00:00:09 dev ${DEVICE} nud permanent`,
      `route add 10.244.9.0/24 via 10.244.9.0 dev ${DEVICE} onlink`,
    );
    await a.startAgent();
    expect((await ping(a.pod, "10.244.2.2")).answered).toBe(3);
    const rows = (await rowsOf(a.host))!;
    expect(rows.addresses).toEqual(["10.244.1.0/32", "10.99.0.1/24"]);
    expect(rows.neighbours).toEqual(rowsFor(a, [b.plan]).neighbours);
    expect(rows.routes.filter((row) => !row.startsWith("10.99."))).toEqual(rowsFor(a, [b.plan]).routes);
    expect((await a.status()).device).toMatchObject({ mac: a.plan.vtepMac, mtu: 1450 });
  });

  it("is ours alone: it has an owner, without whom anybody with /dev/net/tun could take a share of its frames", async () => {
    const { a } = await build();
    await a.startAgent();
    // As the file in /sys that `ip netns exec` mounts for the namespace says: -1 without an owner.
    const { stdout } = await a.host.exec("cat", [`/sys/class/net/${DEVICE}/owner`]);
    expect(Number(stdout)).toBe(process.geteuid!());
  });

  it("somebody else's is left alone", async () => {
    const { a } = await build();
    a.host.ip(`link add ${DEVICE} type bridge`, `addr add 10.99.0.1/24 dev ${DEVICE}`);
    const { status, stderr } = await failingAgent(a);
    expect(stderr).toMatch(/flannel\.1 exists, and it is a bridge[\s\S]*→ .*device/);
    expect(status).toBe(1);
    expect((await rowsOf(a.host))!.addresses).toEqual(["10.99.0.1/24"]);
  });
});

describeWith([lab()], "the port", () => {
  it("held by a VXLAN device of the kernel of another name: the error names the device", async () => {
    const { a } = await build();
    a.host.ip("link add vx42 type vxlan id 42 dev eth0 dstport 8472", "link set vx42 up");
    const { status, stderr } = await failingAgent(a);
    expect(stderr).toMatch(/UDP port 8472 is taken by the kernel's VXLAN device vx42/);
    expect(stderr).toMatch(/ip link del vx42/);
    expect(status).toBe(1);
    expect(await hasDevice(a.host, "vx42")).toBe(true);
    expect(await hasDevice(a.host)).toBe(false);
    a.host.ip("link del vx42");
    await a.startAgent();
  });

  it("taken, with our device there from before: the device stays as it was", async () => {
    const { a } = await build();
    await a.startAgent();
    await a.stop();
    const rows = await rowsOf(a.host);
    a.host.ip("link add vx42 type vxlan id 42 dev eth0 dstport 8472", "link set vx42 up");
    expect((await failingAgent(a)).status).toBe(1);
    expect(await rowsOf(a.host)).toEqual(rows);
  });
});

describeWith([lab(), tool("setpriv")], "without privileges", () => {
  /** Starts an agent that lacks a capability. */
  function without(a: PoplinNode, capability: string) {
    return failingAgent(a, [], ["setpriv", "--bounding-set", `-${capability}`]);
  }

  it("CAP_NET_ADMIN: exit code 4, and the capability is named", async () => {
    const { a } = await build();
    const { status, stderr } = await without(a, "net_admin");
    expect(stderr).toMatch(/CAP_NET_ADMIN/);
    expect(status).toBe(4);
    expect(await hasDevice(a.host)).toBe(false);
  });

  it("CAP_NET_ADMIN, with a device there already whose rows would have to change", async () => {
    const { a } = await build();
    await a.startAgent();
    await a.stop();
    const rows = await rowsOf(a.host);
    a.setPeers([]);
    const { status, stderr } = await without(a, "net_admin");
    expect(stderr).toMatch(/CAP_NET_ADMIN/);
    expect(status).toBe(4);
    expect(await rowsOf(a.host)).toEqual(rows);
  });

  describeWith([optionalPackage("raw-socket")], "the raw underlay", () => {
    it("CAP_NET_RAW: exit code 4, and the capability is named", async () => {
      const { a } = await build({ underlay: "raw" });
      const { status, stderr } = await without(a, "net_raw");
      expect(stderr).toMatch(/CAP_NET_RAW/);
      expect(status).toBe(4);
      expect(await hasDevice(a.host)).toBe(false);
    });
  });

  it("the other commands say so too", async () => {
    const { a } = await build();
    await a.startAgent();
    await a.stop();
    const words = ["--bounding-set", "-net_admin", process.execPath, POPLIN, "cleanup", "--device", DEVICE];
    const { status, stderr } = await a.host.exec("setpriv", words, { check: false });
    expect(stderr).toMatch(/CAP_NET_ADMIN/);
    expect(status).toBe(4);
    expect(await hasDevice(a.host)).toBe(true);
  });
});
