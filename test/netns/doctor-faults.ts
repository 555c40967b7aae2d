/** Faults that are planted on node-a of a cluster, one at a time, and what `poplin doctor` has to call them. */
import type { Cluster } from "../../src/lab/cluster.ts";
import type { LabNode } from "../../src/lab/node.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";

/** What does something to the node and what takes it back. */
export interface Planted {
  readonly code: string;
  readonly plant: () => unknown;
  readonly remove: () => unknown;
  /** A part of what the finding shows. */
  readonly seen: RegExp;
  readonly status?: number;
}

/** node-a (poplin, examined), node-b (kernel VXLAN), node-c (poplin). */
export interface Stage {
  readonly cluster: Cluster;
  readonly a: PoplinNode;
  readonly b: LabNode;
  readonly c: PoplinNode;
}

const sh = (node: LabNode, script: string) => node.host.exec("sh", ["-ec", script]);

/** Does not let the agent run `ip`, so that what was changed stays. Its mount namespace is its own (`ip netns exec`). */
const IP = "for f in /usr/sbin/ip /usr/bin/ip /sbin/ip /bin/ip; do [ ! -e $f ] ||";
const deafAgent = (a: PoplinNode, then: string) =>
  sh(a, `nsenter -t ${a.pid} -m sh -c '${IP} mount --bind /bin/false $f; done'; ${then}`);
const hearingAgent = async (a: PoplinNode) => {
  await sh(a, `nsenter -t ${a.pid} -m sh -c '${IP} while umount $f 2>/dev/null; do :; done; done'`);
  await a.poplin(["reconcile"]);
};

export const FAULTS: Readonly<Record<string, (stage: Stage) => Planted>> = {
  "VXLAN dropped on its way in, by iptables": ({ a }) => ({
    code: "udp-in-dropped",
    plant: () => sh(a, "iptables -A INPUT -i eth0 -p udp --dport 8472 -j DROP"),
    remove: () => sh(a, "iptables -D INPUT -i eth0 -p udp --dport 8472 -j DROP"),
    seen: /-A INPUT -i eth0 -p udp .*8472 -j DROP/,
  }),
  "VXLAN dropped on its way in, by nft": ({ a }) => ({
    code: "udp-in-dropped",
    plant: () =>
      sh(
        a,
        "nft add table inet guard; nft 'add chain inet guard input { type filter hook input priority 0; }'; " +
          "nft add rule inet guard input iifname eth0 udp dport 8472 counter drop",
      ),
    remove: () => sh(a, "nft delete table inet guard"),
    seen: /nft rule inet guard input handle \d+: .*8472 drop/,
  }),
  "VXLAN dropped on its way out": ({ a }) => ({
    code: "udp-out-dropped",
    plant: () => sh(a, "iptables -A OUTPUT -p udp --dport 8472 -j DROP"),
    remove: async () => {
      await sh(a, "iptables -D OUTPUT -p udp --dport 8472 -j DROP");
    },
    seen: /-A OUTPUT -p udp .*8472 -j DROP/,
  }),
  "FORWARD's policy DROP": ({ a }) => ({
    code: "forward-dropped",
    plant: () => sh(a, "iptables -P FORWARD DROP"),
    remove: () => sh(a, "iptables -P FORWARD ACCEPT"),
    seen: /:FORWARD DROP/,
  }),
  "forwarding off": ({ a }) => ({
    code: "forwarding-off",
    plant: () => a.host.sysctl({ "net/ipv4/ip_forward": 0 }),
    remove: () => a.host.sysctl({ "net/ipv4/ip_forward": 1 }),
    seen: /net\.ipv4\.ip_forward = 0/,
  }),
  "rp_filter where the way back is another": ({ cluster, a, b }) => ({
    code: "rp-filter",
    plant: async () => {
      // node-b knows node-a's MAC, and node-a would answer it by eth1.
      const mac = (await a.host.exec("cat", ["/sys/class/net/eth0/address"])).stdout.trim();
      cluster.lab.cable(
        { host: a.host, name: "eth1" },
        { host: cluster.network.middle, name: "second" },
        1500,
      );
      cluster.network.middle.ip("link set second master br0");
      b.host.ip(`neigh replace ${a.plan.address} lladdr ${mac} dev eth0 nud permanent`);
      a.host.ip(`route add ${b.plan.address}/32 dev eth1 src ${a.plan.address}`);
      a.host.sysctl({ "net/ipv4/conf/eth0/rp_filter": 1 });
    },
    remove: () => {
      a.host.sysctl({ "net/ipv4/conf/eth0/rp_filter": 0 });
      a.host.ip("link del eth1");
      b.host.ip(`neigh del ${a.plan.address} dev eth0`);
    },
    seen: /what 172\.19\.0\.3 sends by eth0 is dropped/,
  }),
  "a permanent neighbour that stays away": ({ a, b }) => ({
    code: "neighbour-missing",
    plant: () => deafAgent(a, `ip neigh del ${b.plan.overlay} dev flannel.1`),
    remove: () => hearingAgent(a),
    seen: /no neighbour for 10\.244\.2\.0/,
  }),
  "a MAC changed behind the agent's back": ({ a }) => ({
    code: "mac-changed",
    plant: () => deafAgent(a, "ip link set flannel.1 address 02:00:00:00:00:66"),
    remove: () => hearingAgent(a),
    seen: /02:00:00:00:00:66/,
  }),
  "a row of the forwarding table deleted": ({ a, b }) => ({
    code: "fdb-missing",
    plant: () => a.poplin(["fdb", "del", b.plan.vtepMac]),
    remove: () => a.poplin(["reconcile"]),
    seen: /has no row/,
  }),
  "a peer cut off": ({ b }) => ({
    code: "peer-unreachable",
    plant: () => b.host.ip("link set eth0 down"),
    remove: () => b.host.ip("link set eth0 up"),
    seen: /peer 172\.19\.0\.3 does not answer/,
  }),
  "a peer's agent ended": ({ c }) => ({
    code: "peer-port-closed",
    plant: () => c.stop(),
    remove: () => c.startAgent(),
    seen: /nobody listens on UDP port 8472 of 172\.19\.0\.4/,
  }),
  "VXLAN dropped at a peer": ({ b }) => ({
    code: "peer-silent",
    plant: () => sh(b, "iptables -A INPUT -p udp --dport 8472 -j DROP"),
    remove: () => sh(b, "iptables -D INPUT -p udp --dport 8472 -j DROP"),
    seen: /peer 172\.19\.0\.3 answers below, and not at 10\.244\.2\.0/,
  }),
  "another device with a part of a peer's subnet": ({ a }) => ({
    code: "route-elsewhere",
    plant: () =>
      a.host.ip(
        ...["link add vpn0 type veth peer name vpn1", "link set vpn0 up", "link set vpn1 up"],
        "route add 10.244.2.128/25 dev vpn0",
      ),
    remove: () => a.host.ip("link del vpn0"),
    seen: /10\.244\.2\.254 would go through vpn0/,
  }),
  "the pods' bridge with the underlay's MTU": ({ a }) => ({
    code: "bridge-mtu",
    plant: () => a.host.ip("link set cni0 mtu 1500"),
    remove: () => a.host.ip("link set cni0 mtu 1450"),
    seen: /cni0 has an MTU of 1500, flannel\.1 of 1450/,
  }),
  "a queueing discipline on the device": ({ a }) => ({
    code: "qdisc",
    plant: () => sh(a, "tc qdisc replace dev flannel.1 root pfifo_fast"),
    remove: () => sh(a, "tc qdisc replace dev flannel.1 root noqueue"),
    seen: /pfifo_fast/,
    status: 0,
  }),
  "a VXLAN device of the kernel's that waits for the port": ({ a }) => ({
    code: "vxlan-device",
    plant: () => a.host.ip("link add vx9 type vxlan id 9 dev eth0 dstport 8472"),
    remove: () => a.host.ip("link del vx9"),
    seen: /vx9 is a VXLAN device of the kernel's for UDP port 8472, down/,
    status: 0,
  }),
  "an agent that is stopped": ({ a }) => ({
    code: "agent-hung",
    plant: () => a.signal("SIGSTOP"),
    remove: () => a.signal("SIGCONT"),
    seen: /is in state T/,
  }),
  "a socket that somebody removed": ({ a }) => ({
    code: "socket-missing",
    plant: () => sh(a, `mv ${a.socket} ${a.socket}.away`),
    remove: () => sh(a, `mv ${a.socket}.away ${a.socket}`),
    seen: /runs flannel\.1, and nobody answers/,
  }),
  "a route to a peer's subnet that somebody else's took the place of": ({ a, b }) => ({
    code: "peer-not-in-place",
    plant: async () => {
      a.host.ip(
        ...["link add vpn0 type veth peer name vpn1", "link set vpn0 up", "link set vpn1 up"],
        `route del ${b.plan.subnet} dev flannel.1`,
        `route add ${b.plan.subnet} dev vpn0`,
      );
      await a.poplin(["reconcile"]);
    },
    remove: async () => {
      a.host.ip("link del vpn0");
      await a.poplin(["reconcile"]);
    },
    seen: /peer 172\.19\.0\.3: .*route .*10\.244\.2\.0\/24/,
  }),
  "another process that reads from the device": ({ a }) => ({
    code: "queue-taken",
    plant: () =>
      sh(
        a,
        `'${process.execPath}' -e 'import("'$PWD/dist/io/linux/tap.js'").then(({ openTapQueue }) => { ` +
          `openTapQueue("flannel.1"); setTimeout(() => {}, 60000); })' >/dev/null 2>&1 & ` +
          `echo $! > ${a.socket}.pid; sleep 1`,
      ),
    remove: () => sh(a, `kill $(cat ${a.socket}.pid)`),
    seen: /node \(pid \d+\) holds a queue of flannel\.1, too/,
  }),
  "an uplink that is down": ({ a }) => ({
    code: "uplink-down",
    plant: () => a.host.ip("link set eth0 down"),
    remove: () => a.host.ip("link set eth0 up"),
    seen: /eth0 is down/,
  }),
};
