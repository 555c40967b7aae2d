/** The peers, one by one: whether they are there, and whether the overlay reaches them. */
import type { Check, Fault } from "../check.ts";
import type { OverlayEvidence, PeerEvidence } from "../evidence.ts";
import { ofOverlay } from "./of-overlay.ts";

/** What keeps every peer away, and has its own finding. */
const COMMON = [
  ...["uplink-down", "port-shared", "device-missing", "device-down", "queue-taken"],
  ...["udp-in-dropped", "udp-out-dropped", "rp-filter"],
];

/** What the agent would have put right, and could not. */
const ROWS = ["mac-changed", "neighbour-missing", "fdb-missing", "route-missing"];

/** One reason may be many peers'. */
function byState(peers: readonly PeerEvidence[]): [state: string, publicIps: string[]][] {
  const states = new Map<string, string[]>();
  for (const { peer } of peers) {
    if (peer.state === "ok") continue;
    states.set(peer.state, [...(states.get(peer.state) ?? []), peer.publicIp]);
  }
  return [...states];
}

function check(
  rest: Omit<Check, "group" | "judge">,
  judge: (peer: PeerEvidence, overlay: OverlayEvidence) => Fault | null,
): Check {
  const each = (overlay: OverlayEvidence) => overlay.peers.flatMap((peer) => judge(peer, overlay) ?? []);
  return ofOverlay("peers", { ...rest, judge: each });
}

function pinged({ address, sent }: { address: string; sent: number }): string {
  return `${sent} echo requests to ${address}`;
}

/** A firewall may drop pings: whoever answers inside is there. */
function silent({ underlay, overlay }: PeerEvidence): boolean {
  return underlay.sent > 0 && underlay.answered === 0 && (overlay?.answered ?? 0) === 0;
}

export const PEERS: readonly Check[] = [
  ofOverlay("peers", {
    code: "peer-not-in-place",
    severity: "error",
    about: "the agent could set every peer's rows",
    why: "nothing gets to that peer, or only a part",
    cure: "what the agent says of it, in `poplin status`; another device's route to the same subnet is the usual reason",
    unless: ["device-missing", ...ROWS],
    judge: ({ peers }) =>
      byState(peers).map(([state, [first, ...others]]) => ({
        seen: `peer ${first}${others.length === 0 ? "" : ` and ${others.length} more`}: ${state}`,
        proof: "the agent tried, and tries again every half minute",
        remedy: "ip route; poplin reconcile --dry-run",
      })),
  }),
  check(
    {
      code: "route-elsewhere",
      severity: "error",
      about: "the kernel sends to peers' pods through the overlay's device",
      why: "another route that is longer, or comes first, takes these packets: a VPN's, Docker's, or an old cluster's",
      cure: "`ip route get ADDRESS` names the device; delete that route, or give one side another subnet",
      unless: ["device-missing", "device-down", "route-missing"],
    },
    ({ ways, direct, peer: { state } }, { status: { device } }) => {
      const wrong = ways.find((way) => way.device !== device.name || way.said !== "");
      if (wrong === undefined || direct || state !== "ok") return null;
      const where = wrong.said === "" ? `would go through ${wrong.device}` : `go nowhere: ${wrong.said}`;
      return {
        seen: `packets to ${wrong.address} ${where}`,
        proof: `\`ip route get ${wrong.address}\``,
        remedy: `ip route show table all | grep ${wrong.address.replace(/[.:][^.:]*$/, "")}`,
      };
    },
  ),
  check(
    {
      code: "peer-unreachable",
      severity: "error",
      about: "every peer answers on the underlay",
      why: "a host that is off, moved or cut off carries no packets",
      cure: "see that it is up, and the route to it; where it only drops pings, nothing is wrong below",
      unless: COMMON,
    },
    (one) =>
      silent(one)
        ? {
            seen: `peer ${one.peer.publicIp} does not answer${one.underlay.refused === "" ? "" : ` (${one.underlay.refused})`}`,
            proof: `${pinged(one.underlay)}, none answered; nor through the overlay`,
            remedy: `ping ${one.peer.publicIp}; ip route get ${one.peer.publicIp}; ip neigh show ${one.peer.publicIp}`,
          }
        : null,
  ),
  check(
    {
      code: "peer-port-closed",
      severity: "error",
      about: "every peer has somebody on its VXLAN port",
      why: "its host is up, and its agent or VXLAN device is not; or a firewall there rejects the port",
      cure: "start the agent there",
      unless: COMMON,
    },
    ({ port, peer: { publicIp }, overlay }, { carrier }) =>
      port !== "ECONNREFUSED" || (overlay?.answered ?? 0) > 0
        ? null
        : {
            seen: `nobody listens on UDP port ${carrier.port} of ${publicIp}`,
            proof: "an empty datagram was refused (ICMP port unreachable)",
            remedy: `on ${publicIp}: poplin status; ss -ulpn 'sport = ${carrier.port}'`,
          },
  ),
  check(
    {
      code: "peer-silent",
      severity: "error",
      about: "every peer answers through the overlay",
      why: "its host answers below, and nothing comes back through VXLAN: its firewall, its VNI, its MAC or its rows",
      cure: "`poplin ping PEER` names the layer",
      unless: [
        ...COMMON,
        "mac-changed",
        "neighbour-missing",
        "fdb-missing",
        "route-missing",
        "route-elsewhere",
      ],
    },
    ({ underlay, overlay, port, peer: { publicIp, state } }) =>
      state !== "ok" || underlay.answered === 0 || port !== "" || overlay === null || overlay.answered > 0
        ? null
        : {
            seen: `peer ${publicIp} answers below, and not at ${overlay.address}`,
            proof: `${pinged(overlay)} through the overlay, none answered`,
            remedy: `poplin ping ${publicIp}`,
          },
  ),
  ofOverlay("peers", {
    code: "path-narrow",
    severity: "warning",
    about: "no path to a peer is narrower than the overlay",
    why: "packets of full size do not get there whole; with `pmtu: icmp` senders are told what fits",
    cure: "set `mtu` to what the path leaves, on all nodes; or see to the router that has the smaller MTU",
    unless: ["mtu-too-big"],
    judge: ({ peers, status: { device } }) =>
      peers.flatMap(({ peer: { publicIp, pathMtu } }) =>
        pathMtu === null || pathMtu.bytes >= pathMtu.needed
          ? []
          : {
              seen: `the path to ${publicIp} carries ${pathMtu.bytes} bytes, ${device.name} needs ${pathMtu.needed}`,
              proof: `the agent's path MTU to it, by ${pathMtu.how === "probe" ? "echo requests with DF set" : "ICMP"}`,
              remedy: `set \`mtu: ${device.mtu - (pathMtu.needed - pathMtu.bytes)}\`, or \`poplin ping ${publicIp}\` to measure it again`,
            },
      ),
  }),
  {
    code: "packets-refused",
    group: "peers",
    severity: "error",
    about: "the kernel takes what the agent sends and writes",
    why: "these packets are lost; the underlay refuses for want of a route, the TAP for want of being up",
    cure: "`poplin stats` counts them as UNDERLAY_REFUSED and TAP_REFUSED, `poplin status` has the last errno",
    unless: [...COMMON, "peer-unreachable", "mtu-too-big"],
    judge: ({ node }) => {
      if (node === null) return null;
      const { sends, writes } = node.refused;
      if (sends + writes === 0) return [];
      const seen = `${sends} datagrams were refused by the underlay, ${writes} frames by the device`;
      return [{ seen, proof: "counted while peers were pinged", remedy: "poplin status; poplin stats" }];
    },
  },
];
