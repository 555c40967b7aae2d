import { describe, expect, it } from "vitest";
import type { ClusterStatus, LeaseStatus } from "../../src/agent/api/cluster-types.ts";
import { deviceOf, fdbJson, fdbLines, parseChange } from "../../src/cli/fdb-words.ts";
import { widthOf } from "../../src/cli/output.ts";
import { clusterRows, leaseLines } from "../../src/cli/render-cluster.ts";
import { peerLines } from "../../src/cli/render-peers.ts";
import { whyLines } from "../../src/cli/render-why.ts";
import { healthyStatus } from "../agent/api/fake-agent.ts";

const STYLE = { width: 80, color: false };
const NOW = Date.parse("2026-11-20T03:00:00Z");
const SINCE = "2026-11-20T00:00:00Z";

const CLUSTER: ClusterStatus = {
  store: "etcd at http://127.0.0.1:2379",
  trouble: null,
  lease: "10.244.1.0-24",
  networks: ["10.244.0.0/16"],
  subnets: ["10.244.1.0/24"],
  publicIps: ["172.19.0.2"],
  subnetFile: "/run/flannel/subnet.env",
  firewall: { kind: "iptables", trouble: null },
  leases: { count: 3, bad: 0 },
};

function lease(key: string, more: Partial<LeaseStatus> = {}): LeaseStatus {
  return {
    ...{ key, own: false, subnets: [key.replace("-", "/")], publicIps: ["172.19.0.3"], backendType: "vxlan" },
    ...{ vtepMacs: ["02:00:00:00:00:03"], since: SINCE, problem: null, ...more },
  };
}

describe("the cluster in the status", () => {
  it("is three lines: the networks and this node, the store, the firewall", () => {
    expect(clusterRows(CLUSTER)).toEqual([
      ["cluster", "10.244.0.0/16, this node 10.244.1.0/24 as 172.19.0.2"],
      ["store", "etcd at http://127.0.0.1:2379, 3 leases"],
      ["firewall", "iptables, rules in place"],
    ]);
  });

  it("names the lease where that is not the subnet, and says what is wrong", () => {
    const troubled = { ...CLUSTER, lease: "worker2", trouble: "no answer" };
    expect(clusterRows({ ...troubled, firewall: { kind: "nftables", trouble: "no nft" } })).toEqual([
      ["cluster", "10.244.0.0/16, this node 10.244.1.0/24 as 172.19.0.2 (worker2)"],
      ["store", "etcd at http://127.0.0.1:2379, 3 leases, not heard now"],
      ["firewall", "nftables, rules not in place"],
    ]);
  });

  it("is nothing where peers stand in a file", () => {
    expect(clusterRows(null)).toEqual([]);
  });
});

describe("the list of leases", () => {
  it("is in the order of the subnets, with age, remarks below, and fits 80 columns", () => {
    const problem =
      "its VNI is 7, and ours 1: neither would take the other's packets, whatever else is right";
    const lines = leaseLines(
      [
        lease("10.244.10.0-24", { problem }),
        lease("10.244.2.0-24"),
        lease("10.244.1.0-24", { own: true, publicIps: ["172.19.0.2"] }),
        lease("readme.txt", {
          ...{ subnets: [], publicIps: [], vtepMacs: [], since: null, problem: "its name names no subnet" },
        }),
      ],
      STYLE,
      NOW,
    );
    expect(lines).toEqual([
      "SUBNET          PUBLIC IP   VTEP MAC           AGE",
      "10.244.1.0/24   172.19.0.2  02:00:00:00:00:03  3 hours",
      "  this node's",
      "10.244.2.0/24   172.19.0.3  02:00:00:00:00:03  3 hours",
      "10.244.10.0/24  172.19.0.3  02:00:00:00:00:03  3 hours",
      "  left out: its VNI is 7, and ours 1: neither would take the other's packets,",
      "            whatever else is right",
      "readme.txt",
      "  left out: its name names no subnet",
    ]);
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(80);
  });

  it("leaves out a lease's name where it is its subnets: in dual stack that is too long for 80 columns", () => {
    const both = lease("10.244.73.0-24&fd00:10:0:2e::-64", {
      ...{ own: true, subnets: ["10.244.73.0/24", "fd00:10:0:2e::/64"] },
      ...{ publicIps: ["192.168.77.1", "fd00:77::a"], vtepMacs: ["b2:b2:7a:cb:28:11", "ce:5e:f4:fc:4b:7a"] },
    });
    expect(leaseLines([both], STYLE, NOW)).toEqual([
      "SUBNET             PUBLIC IP     VTEP MAC           AGE",
      "10.244.73.0/24     192.168.77.1  b2:b2:7a:cb:28:11  3 hours",
      "fd00:10:0:2e::/64  fd00:77::a    ce:5e:f4:fc:4b:7a",
      "  this node's",
    ]);
  });

  it("names nodes of Kubernetes, with a line for each family", () => {
    const dual = lease("worker", {
      subnets: ["10.244.2.0/24", "fd00:10:244:2::/64"],
      publicIps: ["172.19.0.3", "fd00:172:19::3"],
      vtepMacs: ["02:00:00:00:00:03", "02:00:00:00:00:06"],
    });
    expect(leaseLines([dual], STYLE, NOW)).toEqual([
      "LEASE   SUBNET              PUBLIC IP       VTEP MAC           AGE",
      "worker  10.244.2.0/24       172.19.0.3      02:00:00:00:00:03  3 hours",
      "        fd00:10:244:2::/64  fd00:172:19::3  02:00:00:00:00:06",
    ]);
  });

  it("may be empty", () => {
    expect(leaseLines([], STYLE, NOW)).toEqual(["the store has no leases"]);
  });
});

describe("a peer with a lease", () => {
  const status = healthyStatus();
  const peers = status.peers.map((peer) => ({ ...peer, lease: { key: "10.244.2.0-24", since: SINCE } }));
  const device = deviceOf({ ...status, peers });
  const row = { mac: peers[0]!.vtepMac, vni: 1, dst: "172.19.0.3", port: 8472, state: "permanent" as const };

  it("has its age in the table of peers", () => {
    expect(peerLines({ ...status, peers: peers.slice(0, 1) }, STYLE, NOW)).toEqual([
      "1 peer",
      "  PUBLIC IP   VTEP MAC           SUBNET         AGE      STATE",
      "  172.19.0.3  aa:bb:cc:00:00:03  10.244.2.0/24  3 hours  ok",
    ]);
  });

  it("is named by its row, in text, in JSON, and where one asks why", () => {
    const [line] = fdbLines([row], device);
    expect(line).toBe("aa:bb:cc:00:00:03 dst 172.19.0.3 self permanent lease 10.244.2.0-24");
    expect(fdbJson([row], device)[0]!.lease).toEqual({ key: "10.244.2.0-24", since: SINCE });
    const why = whyLines(
      [{ row: { ...row, dev: "flannel.1" }, lesson: null }],
      (one) => device.leases.get(one.mac),
      STYLE,
      NOW,
    );
    expect(why.slice(1).join(" ").replaceAll(/ +/g, " ")).toBe(
      " from the lease 10.244.2.0-24, first heard of 3 hours ago: it does not age, and no frame moves it",
    );
    // A line of the listing can be pasted.
    expect(parseChange("add", line!.split(" "))).toEqual({ op: "add", mac: row.mac, dst: row.dst });
  });
});
