/**
 * What the firewall does to packets, by both variants of iptables and by nft: who sees whose address.
 *
 *   pod 10.244.1.10 ── node (10.244.1.1) ─┬─ 172.19.0.2/24 ── outside 172.19.0.3
 *                                         └─ overlay, 10.244.1.0/32 ── a pod of another node, 10.244.2.10
 *
 * A plain cable stands for the overlay. "Seen" is the address from which a datagram came, as its receiver tells the sender.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openFirewall } from "../../src/host/firewall/firewall.ts";
import type { FirewallWish } from "../../src/host/firewall/wish.ts";
import type { Host } from "../../src/lab/host.ts";
import { Lab } from "../../src/lab/lab.ts";
import { IPV6, ifIpv6 } from "../../src/lab/plan.ts";
import { describeWith, namespaces, tool } from "../helpers/needs.ts";
import { firewallPrograms, Programs } from "./programs.ts";

const PORT = 21_500;
const GROUP = { 4: "239.7.7.7", 6: "ff0e::7" } as const;
const NETWORKS = [
  { family: 4, network: "10.244.0.0/16", subnet: "10.244.1.0/24" },
  { family: 6, network: "fd00:10:244::/48", subnet: "fd00:10:244:1::/64" },
] as const;
const WISH: FirewallWish = {
  networks: IPV6 ? NETWORKS : NETWORKS.slice(0, 1),
  masquerade: true,
  forward: true,
  randomFully: true,
};

const ADDRESSES = {
  4: {
    pod: "10.244.1.10",
    gateway: "10.244.1.1",
    node: "172.19.0.2",
    outside: "172.19.0.3",
    overlay: "10.244.1.0",
    remote: "10.244.2.10",
  },
  6: {
    pod: "fd00:10:244:1::10",
    gateway: "fd00:10:244:1::1",
    node: "fd00:172:19::2",
    outside: "fd00:172:19::3",
    overlay: "fd00:10:244:1::",
    remote: "fd00:10:244:2::10",
  },
} as const;

/** Answers every datagram with the address it came from, on all addresses and in the group. */
const ANSWER = `
  const { createSocket } = require("node:dgram");
  for (const [type, group] of [["udp4", "${GROUP[4]}"], ["udp6", "${GROUP[6]}"]]) {
    if (type === "udp6" && process.argv[1] !== "both") continue;
    const socket = createSocket({ type, ipv6Only: type === "udp6" });
    socket.on("message", (_, from) => socket.send(from.address, from.port, from.address));
    socket.bind(${PORT}, () => {
      for (const address of process.argv.slice(2)) {
        socket.addMembership(group, type === "udp6" ? "::%eth0" : address);
      }
    });
  }`;
/** Asks until there is an answer: the first datagrams may meet a server that is not there yet. */
const ASK = `
  const [family, to, from] = process.argv.slice(1);
  const socket = require("node:dgram").createSocket("udp" + family);
  socket.on("message", (text) => { console.log(String(text)); process.exit(0); });
  socket.on("error", () => {});
  socket.bind(0, from, () => {
    if (to === "${GROUP[4]}") socket.setMulticastInterface("${ADDRESSES[4].node}");
    setInterval(() => socket.send("?", ${PORT}, to, () => {}), 100);
  });
  setTimeout(() => { console.log("nothing"); process.exit(0); }, Number(process.argv[4] ?? 20_000));`;

describe.each(["iptables-nft", "iptables-legacy", "nftables"] as const)("%s", (kind) => {
  describeWith(
    [namespaces(), tool("nft"), tool("iptables-nft"), tool("iptables-legacy")],
    "who is seen",
    () => {
      let lab: Lab;
      let programs: Programs;
      let [pod, node, outside, remote]: Host[] = [];

      beforeAll(async () => {
        lab = Lab.create();
        [pod, node, outside, remote] = ["pod", "node", "outside", "remote"].map((name) => lab.addHost(name));
        build(lab, pod!, node!, outside!, remote!);
        for (const host of [pod!, outside!, remote!]) {
          const groups = host === outside ? [ADDRESSES[4].outside] : [];
          host.spawn(process.execPath, ["-e", ANSWER, IPV6 ? "both" : "4", ...groups], { stdio: "ignore" });
        }
        programs = new Programs(
          node!.namespace,
          firewallPrograms(kind === "iptables-legacy" ? "legacy" : "nft"),
        );
        const { firewall } = await openFirewall(kind === "nftables" ? "nftables" : "iptables", WISH);
        await firewall.ensure();
      });
      afterAll(() => {
        programs?.remove();
        lab?.destroy();
      });

      async function seen(from: Host, source: string, to: string, patience?: number): Promise<string> {
        const family = to.includes(":") ? "6" : "4";
        const more = patience === undefined ? [] : [String(patience)];
        const { stdout } = await from.exec(process.execPath, ["-e", ASK, family, to, source, ...more]);
        return stdout.trim();
      }

      describe.each(IPV6 ? ([4, 6] as const) : ([4] as const))("IPv%i", (family) => {
        const at = ADDRESSES[family];

        it("a pod is seen outside as its node", async () => {
          expect(await seen(pod!, at.pod, at.outside)).toBe(at.node);
        });

        it("pods see each other's own addresses, both ways", async () => {
          expect(await seen(pod!, at.pod, at.remote)).toBe(at.pod);
          expect(await seen(remote!, at.remote, at.pod)).toBe(at.remote);
        });

        it("a pod of this node sees who asks from outside", async () => {
          expect(await seen(outside!, at.outside, at.pod)).toBe(at.outside);
        });

        it("the node is seen by a pod elsewhere as its end of the overlay, whatever its source was", async () => {
          expect(await seen(node!, at.node, at.remote)).toBe(at.overlay);
        });

        it("so is who asks through this node from outside", async () => {
          expect(await seen(outside!, at.outside, at.remote)).toBe(at.overlay);
        });

        it("what goes to a group keeps its source", async () => {
          expect(await seen(node!, at.gateway, at.outside)).toBe(at.node);
          expect(await seen(node!, at.gateway, GROUP[family])).toBe(at.gateway);
        });

        it("what kube-proxy has marked is left to it, other marks beside it or not", async () => {
          const tables = `ip${family === 6 ? "6" : ""}tables-nft`;
          const mark = ["PREROUTING", "-i", "cni0", "-j", "MARK", "--or-mark", "0x5000"];
          await node!.exec(tables, ["-t", "mangle", "-A", ...mark]);
          expect(await seen(pod!, at.pod, at.outside)).toBe(at.pod);
          await node!.exec(tables, ["-t", "mangle", "-D", ...mark]);
          expect(await seen(pod!, at.pod, at.outside)).toBe(at.node);
        });
      });

      if (kind !== "nftables") {
        it("pods pass where FORWARD drops, and others do not", async () => {
          await node!.exec(kind, ["-P", "FORWARD", "DROP"]);
          expect(await seen(pod!, ADDRESSES[4].pod, ADDRESSES[4].outside)).toBe(ADDRESSES[4].node);
          await pod!.exec("ip", ["addr", "add", "192.0.2.1/32", "dev", "eth0"]);
          expect(await seen(pod!, "192.0.2.1", ADDRESSES[4].outside, 1_000)).toBe("nothing");
        });
      }
    },
  );
});

function build(lab: Lab, pod: Host, node: Host, outside: Host, remote: Host): void {
  lab.cable({ host: node, name: "cni0" }, { host: pod, name: "eth0" });
  lab.cable({ host: node, name: "eth0" }, { host: outside, name: "eth0" });
  lab.cable({ host: node, name: "overlay" }, { host: remote, name: "overlay" });
  node.forwarding();
  node.ip(
    "addr add 10.244.1.1/24 dev cni0",
    "addr add 172.19.0.2/24 dev eth0",
    "addr add 10.244.1.0/32 dev overlay",
    "route add 10.244.2.0/24 dev overlay",
    "route add 192.0.2.1 dev cni0",
    ...ifIpv6(
      "addr add fd00:10:244:1::1/64 dev cni0 nodad",
      "addr add fd00:172:19::2/64 dev eth0 nodad",
      "addr add fd00:10:244:1::/128 dev overlay nodad",
      "route add fd00:10:244:2::/64 dev overlay",
      "route add ff0e::/16 dev eth0 table local metric 1",
    ),
  );
  pod.ip(
    "addr add 10.244.1.10/24 dev eth0",
    "route add default via 10.244.1.1",
    ...ifIpv6("addr add fd00:10:244:1::10/64 dev eth0 nodad", "route add ::/0 via fd00:10:244:1::1"),
  );
  outside.ip(
    "addr add 172.19.0.3/24 dev eth0",
    "route add 10.244.0.0/16 via 172.19.0.2",
    "route add 192.0.2.1 via 172.19.0.2",
    ...ifIpv6("addr add fd00:172:19::3/64 dev eth0 nodad", "route add fd00:10:244::/48 via fd00:172:19::2"),
  );
  remote.ip(
    "addr add 10.244.2.10/24 dev overlay",
    "route add 10.244.1.0/24 via 10.244.1.0 dev overlay onlink",
    ...ifIpv6(
      "addr add fd00:10:244:2::10/64 dev overlay nodad",
      "route add fd00:10:244:1::/64 via fd00:10:244:1:: dev overlay onlink",
    ),
  );
}
