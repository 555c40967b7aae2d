/** What is gathered from hosts on which all is well, for tests to bend. */
import { type AgentStatus, carrierOf } from "../../src/agent/api/status-types.ts";
import type {
  Attempt,
  CarrierEvidence,
  ClusterEvidence,
  Evidence,
  NodeEvidence,
  OverlayEvidence,
  PeerEvidence,
  StartEvidence,
} from "../../src/doctor/evidence.ts";
import { WORKED } from "../../src/doctor/gather/attempt.ts";
import { healthyStatus } from "../agent/api/fake-agent.ts";

export function failed(code: string, message: string, remedy = ""): Attempt {
  return { code, message, remedy };
}

const HELD = { rights: { netAdmin: true, netRaw: true, echo: WORKED }, tun: WORKED };

/** A node of a flannel cluster with two peers. */
export function healthyNode(changes: Partial<NodeEvidence> = {}): Evidence {
  const plain = healthyStatus();
  const status: AgentStatus = healthyStatus({
    health: [],
    cluster: {
      ...{ store: "a directory", trouble: null, lease: "10.244.1.0-24" },
      ...{ networks: ["10.244.0.0/16"], subnets: ["10.244.1.0/24"], publicIps: ["172.19.0.2"] },
      subnetFile: "/run/flannel/subnet.env",
      firewall: { kind: "iptables", trouble: null },
      leases: { count: 3, bad: 0 },
    },
    underlay: { ...plain.underlay, local: "172.19.0.2" },
  });
  const node: NodeEvidence = {
    status,
    carriers: [carrierEvidence(status)],
    overlays: [overlayEvidence(status)],
    reversePathDrops: 0,
    refused: { sends: 0, writes: 0 },
    cluster: clusterEvidence(),
    ...changes,
  };
  const agent = { socket: "/run/poplin/agent.sock", answer: WORKED, taps: [] };
  return { ...HELD, start: null, agent, node };
}

/** The same with something else about its overlay, its underlay, its first peer, its cluster. */
export function withOverlay(change: Partial<OverlayEvidence>): Evidence {
  const { overlays } = healthyNode().node!;
  return healthyNode({ overlays: [{ ...overlays[0]!, ...change }] });
}

export function withCarrier(change: Partial<CarrierEvidence>): Evidence {
  const { carriers } = healthyNode().node!;
  return healthyNode({ carriers: [{ ...carriers[0]!, ...change }] });
}

export function withPeer(change: Partial<PeerEvidence>): Evidence {
  const [first, ...others] = healthyNode().node!.overlays[0]!.peers;
  return withOverlay({ peers: [{ ...first!, ...change }, ...others] });
}

export function withCluster(change: Partial<ClusterEvidence>): Evidence {
  return healthyNode({ cluster: { ...clusterEvidence(), ...change } });
}

export function withStatus(change: Partial<AgentStatus>): Evidence {
  return healthyNode({ status: { ...healthyNode().node!.status, ...change } });
}

function carrierEvidence(status: AgentStatus): CarrierEvidence {
  return {
    carrier: carrierOf(status, status)!,
    uplink: { mtu: 1500, up: true, carrier: true },
    ...{ vxlan: [], sharers: [], incoming: null, outgoing: null },
  };
}

function overlayEvidence(status: AgentStatus): OverlayEvidence {
  const { device, peers } = status;
  const subnets = peers.flatMap((peer) => peer.subnets.map((subnet) => ({ subnet, peer })));
  return {
    status,
    carrier: carrierOf(status, status)!,
    link: {
      ...{ name: device.name, index: 7, kind: "tun", mac: device.mac, mtu: device.mtu, up: true },
      tun: {
        ...{
          mode: "tap",
          multiQueue: true,
          vnetHeader: true,
          persistent: true,
          packetInfo: false,
          queues: 1,
        },
      },
      addresses: device.addresses,
    },
    qdisc: "noqueue",
    neighbours: subnets.map(({ subnet, peer }) => ({ address: subnet.split("/")[0]!, mac: peer.vtepMac })),
    routes: subnets.map(({ subnet }) => subnet),
    fdb: peers.map(({ vtepMac, publicIp }) => ({ mac: vtepMac, dst: publicIp, state: "permanent" })),
    sharers: [],
    fullSize: "",
    peers: peers.map((peer) => ({
      peer,
      underlay: { address: peer.publicIp, sent: 1, answered: 1, refused: "" },
      port: "",
      overlay: { address: peer.subnets[0]!.split("/")[0]!, sent: 1, answered: 1, refused: "" },
      direct: false,
      ways: [{ address: peer.subnets[0]!.replace("0/24", "1"), device: "flannel.1", said: "" }],
      back: "",
    })),
    pods: {
      ...{ bridge: "cni0", family: 4, mtu: 1450, forwarding: "1", blockedOut: null, blockedIn: null },
      lookups: [{ asked: "ip route get 10.244.2.2 from 10.244.1.2 iif cni0", said: "" }],
    },
  };
}

function clusterEvidence(): ClusterEvidence {
  return {
    subnetFile: "/run/flannel/subnet.env",
    file: {
      ...WORKED,
      ipv4: { network: "10.244.0.0/16", subnet: "10.244.1.1/24" },
      ...{ ipv6: null, mtu: 1450 },
    },
    ...{ bad: [], flannelds: [] },
    cni: { folder: "/etc/cni/net.d", files: ["10-flannel.conflist"], flannel: true },
  };
}

/** A host on which an agent could start. */
export function healthyStart(changes: Partial<StartEvidence> = {}): Evidence {
  const start: StartEvidence = {
    ...{ nodeVersion: "20.19.0", kernel: "6.18.44", shim: WORKED, tap: WORKED, missing: [] },
    uplink: { ...WORKED, found: { device: "eth0", mtu: 1500, address: "172.19.0.2" } },
    ...{ mtu: WORKED, port: { number: 8472, bind: WORKED }, device: { name: "flannel.1", taken: null } },
    ...{ buffers: { wanted: 8 << 20, granted: 8 << 20 }, offloads: [], forwarding: "1", running: null },
    ...changes,
  };
  return { ...HELD, start, agent: null, node: null };
}

/** Where no agent answers. */
export function withoutAgent(answer: Attempt, taps: NonNullable<Evidence["agent"]>["taps"] = []): Evidence {
  return { ...HELD, start: null, agent: { socket: "/run/poplin/agent.sock", answer, taps }, node: null };
}
