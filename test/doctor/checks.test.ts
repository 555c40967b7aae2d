/** Every check: what makes it speak, that no other does, and that it says all that an operator needs. */
import { describe, expect, it } from "vitest";
import { examine } from "../../src/doctor/check.ts";
import type { Evidence, Met } from "../../src/doctor/evidence.ts";
import { CHECKS } from "../../src/doctor/table.ts";
import {
  failed,
  healthyNode,
  healthyStart,
  withCarrier,
  withCluster,
  withOverlay,
  withoutAgent,
  withPeer,
  withStatus,
} from "./samples.ts";

const overlay = healthyNode().node!.overlays[0]!;
const carrier = healthyNode().node!.carriers[0]!;
const [peer] = overlay.peers;
const link = overlay.link!;
const pods = overlay.pods!;
const { cluster } = healthyNode().node!;
const SILENT = { address: "172.19.0.3", sent: 3, answered: 0, refused: "" };
const STOPPED = { pid: 42, command: "node", state: "T" };
const OTHER = { pid: 43, command: "thief" };
const RULE: Met = {
  rule: "iptables -t filter -A INPUT -p udp -j DROP",
  ...{ packets: 7, remedy: "iptables -t filter -D INPUT -p udp -j DROP", grew: 3 },
};

/** For each code what was gathered where that is wrong. */
const WRONG: Readonly<Record<string, Evidence>> = {
  "no-net-admin": {
    ...healthyNode(),
    rights: { ...healthyNode().rights, netAdmin: false },
  },
  "no-net-raw": {
    ...healthyNode(),
    rights: { netAdmin: true, netRaw: false, echo: failed("EACCES", "socket: EACCES") },
  },
  "tun-missing": { ...healthyNode(), tun: failed("ENOENT", "open '/dev/net/tun'") },
  "agent-running": healthyStart({ running: { pid: 4711, socket: "/run/poplin/agent.sock" } }),
  "node-too-old": healthyStart({ nodeVersion: "20.18.1" }),
  "kernel-old": healthyStart({ kernel: "4.19.0-27-amd64" }),
  "shim-missing": healthyStart({ shim: failed("POPLIN_NO_SHIM", "not built", "npm run build:shim") }),
  "tap-refused": healthyStart({ tap: failed("POPLIN_TAP_PERMISSION", "may not make a TAP", "as root") }),
  "iproute2-missing": healthyStart({ missing: ["ip"] }),
  "firewall-program-missing": healthyStart({ missing: ["iptables", "nft"] }),
  "no-uplink": healthyStart({ uplink: { ...failed("HOST_NO_UPLINK", "no way anywhere"), found: null } }),
  "uplink-mtu": healthyStart({ mtu: failed("OVERLAY_MTU_TOO_SMALL", "eth0 has an MTU of 100") }),
  "port-taken": healthyStart({
    port: { number: 8472, bind: failed("POPLIN_PORT_TAKEN", "taken by vx9", "ip link del vx9") },
  }),
  "device-taken": healthyStart({ device: { name: "flannel.1", taken: "it is a bridge" } }),
  "buffers-too-small": healthyStart({ buffers: { wanted: 8 << 20, granted: 212_992 } }),
  "offload-refused": healthyStart({ offloads: [{ name: "tap-uso", why: "the kernel refuses it" }] }),
  "forwarding-off-yet": healthyStart({ forwarding: "0" }),
  "agent-hung": withoutAgent(failed("TIMEOUT", "did not answer within 5 s"), [
    { name: "flannel.1", queues: 1, holders: [STOPPED], routes: 1 },
  ]),
  "socket-missing": withoutAgent(failed("AGENT_NOT_RUNNING", "no socket"), [
    { name: "flannel.1", queues: 1, holders: [], routes: 1 },
  ]),
  "device-stale": withoutAgent(failed("AGENT_NOT_RUNNING", "no socket"), [
    { name: "flannel.1", queues: 0, holders: [], routes: 2 },
  ]),
  "agent-starting": withoutAgent(failed("STARTING", "the agent is starting")),
  "dataplane-silent": withoutAgent(failed("DATAPLANE", "the dataplane does not answer", "restart the agent")),
  "agent-absent": withoutAgent(failed("AGENT_NOT_RUNNING", "no socket", "start one")),
  "agent-complains": withStatus({
    health: [{ level: "warning", message: "the last reload failed: line 3", remedy: "correct it" }],
  }),
  "uplink-down": withCarrier({ uplink: { mtu: 1500, up: true, carrier: false } }),
  "vxlan-device": withCarrier({ vxlan: [{ name: "vx9", up: false }] }),
  "port-shared": withCarrier({ sharers: [OTHER] }),
  "buffers-small": withCarrier({
    carrier: { ...carrier.carrier, warnings: ["the receive buffer is 208.0 KiB instead of 8.0 MiB"] },
  }),
  "offload-lost": withCarrier({
    carrier: {
      ...carrier.carrier,
      offloads: {
        ...carrier.carrier.offloads,
        "udp-gso": { on: false, why: "the kernel refuses UDP_SEGMENT (EIO)" },
      },
    },
  }),
  "device-missing": withOverlay({ link: null }),
  "device-down": withOverlay({ link: { ...link, up: false } }),
  "mac-changed": withOverlay({ link: { ...link, mac: "02:00:00:00:00:66" } }),
  "mtu-changed": withOverlay({ link: { ...link, mtu: 1400 } }),
  "address-missing": withOverlay({ link: { ...link, addresses: [] } }),
  "neighbour-missing": withOverlay({ neighbours: overlay.neighbours.slice(1) }),
  "fdb-missing": withOverlay({ fdb: overlay.fdb.slice(1) }),
  "route-missing": withOverlay({ routes: overlay.routes.slice(1) }),
  "mtu-too-big": withOverlay({ fullSize: "EMSGSIZE" }),
  "no-vnet-header": withOverlay({ link: { ...link, tun: { ...link.tun!, vnetHeader: false } } }),
  "queue-taken": withOverlay({ sharers: [OTHER] }),
  qdisc: withOverlay({ qdisc: "netem" }),
  "forwarding-off": withOverlay({
    pods: { ...pods, forwarding: "0", lookups: [{ asked: "ip route get …", said: "No route to host" }] },
  }),
  "rp-filter": healthyNode({
    reversePathDrops: 3,
    overlays: [
      {
        ...overlay,
        peers: [{ ...peer!, underlay: SILENT, back: "Invalid cross-device link" }, ...overlay.peers.slice(1)],
      },
    ],
  }),
  "udp-in-dropped": withCarrier({ incoming: RULE }),
  "udp-out-dropped": withCarrier({ outgoing: { ...RULE, packets: null, grew: null } }),
  "forward-dropped": withOverlay({ pods: { ...pods, blockedIn: RULE } }),
  "peer-not-in-place": withPeer({ peer: { ...peer!.peer, state: "route add 10.244.2.0/24: File exists" } }),
  "route-elsewhere": withPeer({ ways: [{ address: "10.244.2.254", device: "tun0", said: "" }] }),
  "peer-unreachable": withPeer({ underlay: SILENT, overlay: { ...SILENT, address: "10.244.2.0" } }),
  "peer-port-closed": withPeer({ port: "ECONNREFUSED", overlay: { ...SILENT, address: "10.244.2.0" } }),
  "peer-silent": withPeer({ overlay: { ...SILENT, address: "10.244.2.0" } }),
  "path-narrow": withPeer({
    peer: {
      ...peer!.peer,
      pathMtu: { bytes: 1400, needed: 1500, how: "probe", at: "2026-11-20T00:00:00.000Z" },
    },
  }),
  "packets-refused": healthyNode({ refused: { sends: 3, writes: 0 } }),
  "bridge-mtu": withOverlay({ pods: { ...pods, mtu: 1500 } }),
  "subnet-env-stale": withCluster({ file: { ...cluster!.file, mtu: 1400 } }),
  "lease-bad": withCluster({ bad: [{ key: "10.244.9.0-24", own: false, problem: "another has its MAC" }] }),
  "flanneld-running": withCluster({ flannelds: [{ pid: 99, command: "flanneld" }] }),
  "store-trouble": withStatus({
    cluster: { ...healthyNode().node!.status.cluster!, trouble: "connection refused" },
  }),
  "rules-missing": withStatus({
    cluster: {
      ...healthyNode().node!.status.cluster!,
      firewall: { kind: "iptables", trouble: "the lock is held" },
    },
  }),
  "cni-conf-missing": withCluster({ cni: { folder: "/etc/cni/net.d", files: [], flannel: false } }),
};

describe("doctor's checks", () => {
  it("are silent where all is well", () => {
    for (const evidence of [healthyNode(), healthyStart()]) {
      const { findings, passed } = examine(evidence, CHECKS);
      expect(findings).toEqual([]);
      expect(passed.length).toBeGreaterThan(12);
    }
  });

  it("have names of their own, and explain each other by names that there are, earlier in the table", () => {
    const codes = CHECKS.map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
    for (const { code, unless = [] } of CHECKS) {
      expect([code, unless.filter((other) => codes.indexOf(other) < 0)]).toEqual([code, []]);
      expect([code, unless.filter((other) => codes.indexOf(other) >= codes.indexOf(code))]).toEqual([
        code,
        [],
      ]);
    }
  });

  it("are all tried here", () => {
    expect(Object.keys(WRONG).sort()).toEqual(CHECKS.map(({ code }) => code).sort());
  });

  it.each(Object.entries(WRONG))("%s is found, and nothing beside it", (code, evidence) => {
    const { findings } = examine(evidence, CHECKS);
    expect([...new Set(findings.map((finding) => finding.code))]).toEqual([code]);
    for (const { seen, why, remedy, proof } of findings) {
      for (const text of [seen, why, remedy, proof]) expect(text).toMatch(/\S/);
    }
  });
});

describe("what is no fault", () => {
  const quiet: Readonly<Record<string, Evidence>> = {
    "a peer that answers inside and drops pings below": withPeer({ underlay: SILENT }),
    "a peer with a direct route, which has no rows here": withPeer({
      ...{ direct: true, overlay: null },
      ways: [{ address: "10.244.2.1", device: "eth0", said: "" }],
    }),
    "packets dropped for their source while every peer answers": healthyNode({ reversePathDrops: 5 }),
    "an agent that was refused something a while ago": withStatus({
      health: [
        { level: "warning", message: "the underlay refused datagrams, last with EPERM", remedy: null },
      ],
    }),
    "an offload that somebody has switched off": withCarrier({
      carrier: {
        ...carrier.carrier,
        offloads: { ...carrier.carrier.offloads, "udp-gso": { on: false, why: "switched off" } },
      },
    }),
    "no folder for CNI configuration": withCluster({ cni: null }),
    "no bridge for pods": withOverlay({ pods: null }),
  };

  it.each(Object.entries(quiet))("%s", (_, evidence) => {
    const { findings } = examine(evidence, CHECKS);
    expect(findings).toEqual([]);
  });

  it("what explains a fault keeps those that follow from it away", () => {
    const evidence = withPeer({ underlay: SILENT, overlay: { ...SILENT, address: "10.244.2.0" } });
    const down = { ...evidence.node!.carriers[0]!, uplink: { mtu: 1500, up: false, carrier: false } };
    const { findings } = examine({ ...evidence, node: { ...evidence.node!, carriers: [down] } }, CHECKS);
    expect(findings.map(({ code }) => code)).toEqual(["uplink-down"]);
  });
});
