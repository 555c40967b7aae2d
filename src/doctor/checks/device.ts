/** The overlay's device and its rows: as the agent made them, or as somebody has changed them since. */
import type { Check, Fault } from "../check.ts";
import type { OverlayEvidence, PeerEvidence } from "../evidence.ts";

/** Said of all here: the agent puts back what it can within a second. */
const TWICE = "looked at twice, more than a second apart: the agent has not put it right";

type OfOverlay = Omit<Check, "group" | "judge"> & {
  readonly judge: (overlay: OverlayEvidence) => readonly Fault[];
};

export function ofOverlay(group: Check["group"], { judge, ...rest }: OfOverlay): Check {
  return { ...rest, group, judge: ({ node }) => node?.overlays.flatMap(judge) ?? null };
}

/** Of a device that is there. */
function device(check: OfOverlay): Check {
  const { judge } = check;
  const there = (overlay: OverlayEvidence) => (overlay.link === null ? [] : judge(overlay));
  return ofOverlay("device", { ...check, judge: there });
}

export const DEVICE: readonly Check[] = [
  ofOverlay("device", {
    code: "device-missing",
    severity: "error",
    about: "the device is there",
    why: "routes to other nodes' pods went with it",
    cure: "the agent makes it anew within a second; where it cannot, its log says why",
    judge: ({ link, status: { device } }) =>
      link === null
        ? [
            {
              seen: `there is no ${device.name}`,
              proof: TWICE,
              remedy: "look at the agent's log; restart it",
            },
          ]
        : [],
  }),
  device({
    code: "device-down",
    severity: "error",
    about: "the device is up",
    why: "the kernel has no routes through a device that is down",
    cure: "`ip link set NAME up`",
    judge: ({ link }) =>
      link!.up
        ? []
        : [{ seen: `${link!.name} is down`, proof: TWICE, remedy: `ip link set ${link!.name} up` }],
  }),
  device({
    code: "mac-changed",
    severity: "error",
    about: "the device has the MAC that others know",
    why: "frames for another MAC are taken for somebody else's, and dropped without a word",
    cure: "`poplin reconcile`; have systemd's MACAddressPolicy and network managers leave the device alone",
    judge: ({ link, status: { device } }) =>
      link!.mac === device.mac
        ? []
        : [
            {
              seen: `${device.name} has the MAC ${link!.mac}, and others know it as ${device.mac}`,
              proof: TWICE,
              remedy: `poplin reconcile, or \`ip link set ${device.name} address ${device.mac}\``,
            },
          ],
  }),
  device({
    code: "mtu-changed",
    severity: "error",
    about: "the device has the MTU that the agent gave it",
    why: "larger frames are dropped here as PKT_TOO_BIG",
    cure: "`poplin reconcile`, or the setting `mtu` and a restart",
    judge: ({ link, status: { device } }) =>
      link!.mtu === device.mtu
        ? []
        : [
            {
              seen: `${device.name} has an MTU of ${link!.mtu}, the agent gave it ${device.mtu}`,
              proof: TWICE,
              remedy: `poplin reconcile, or \`ip link set ${device.name} mtu ${device.mtu}\``,
            },
          ],
  }),
  device({
    code: "address-missing",
    severity: "error",
    about: "the device has its addresses",
    why: "what this node itself sends into the overlay has no source that others could answer",
    cure: "`poplin reconcile`",
    judge: ({ link, status: { device } }) =>
      device.addresses
        .filter((cidr) => !link!.addresses.includes(cidr))
        .map((cidr) => ({
          seen: `${device.name} does not have ${cidr}`,
          proof: TWICE,
          remedy: `poplin reconcile, or \`ip addr add ${cidr} dev ${device.name}\``,
        })),
  }),
  device({
    code: "neighbour-missing",
    severity: "error",
    about: "each peer's permanent neighbour is there",
    why: "nobody answers ARP in this overlay: without it no frame to that peer gets a destination",
    cure: "`poplin reconcile`; the agent's log says why it does not last",
    unless: ["mac-changed", "device-down"],
    judge: ({ neighbours, peers, status: { device } }) =>
      inPlace(peers).flatMap(({ peer: { vtepMac, subnets, publicIp } }) =>
        subnets.flatMap((subnet) => {
          const address = subnet.split("/")[0]!;
          const row = neighbours.find((one) => one.address === address);
          if (row?.mac === vtepMac) return [];
          const seen =
            row === undefined ? "has no neighbour" : `has the neighbour ${row.mac}, not ${vtepMac},`;
          return {
            seen: `${device.name} ${seen} for ${address} (peer ${publicIp})`,
            proof: TWICE,
            remedy: `poplin reconcile, or \`ip neigh replace ${address} lladdr ${vtepMac} nud permanent dev ${device.name}\``,
          };
        }),
      ),
  }),
  device({
    code: "fdb-missing",
    severity: "error",
    about: "each peer's row is in the forwarding table",
    why: "frames for its MAC are dropped here as NO_TX_TARGET",
    cure: "`poplin reconcile`",
    judge: ({ fdb, peers, status: { device } }) =>
      peers.filter(isComparable).flatMap(({ peer: { vtepMac, publicIp } }) => {
        const row = fdb.find(({ mac }) => mac === vtepMac);
        if (row?.dst === publicIp) return [];
        return {
          seen: `${vtepMac} ${row === undefined ? "has no row" : `goes to ${row.dst}, not ${publicIp}`}`,
          proof: TWICE,
          remedy: `poplin reconcile, or \`poplin fdb replace ${vtepMac} dst ${publicIp} dev ${device.name}\``,
        };
      }),
  }),
  device({
    code: "route-missing",
    severity: "error",
    about: "each peer's subnet has its route through the device",
    why: "pods there are sent to by another way, or by none",
    cure: "`poplin reconcile`; where another device has the route, that one has to go",
    unless: ["device-down"],
    judge: ({ routes, peers, status: { device } }) =>
      inPlace(peers).flatMap(({ peer: { subnets, publicIp } }) =>
        subnets
          .filter((subnet) => !routes.includes(subnet))
          .map((subnet) => ({
            seen: `no route to ${subnet} through ${device.name} (peer ${publicIp})`,
            proof: TWICE,
            remedy: "poplin reconcile",
          })),
      ),
  }),
  device({
    code: "mtu-too-big",
    severity: "error",
    about: "a full packet of the overlay fits the uplink",
    why: "larger ones are fragmented, and many networks drop fragments: small packets pass, transfers hang",
    cure: "leave `mtu` out, or set it to the uplink's less 50 (less 70 over IPv6), and restart the agent",
    judge: ({ fullSize, status: { device }, carrier: { uplink, family } }) =>
      fullSize === ""
        ? []
        : [
            {
              seen: `${device.name} has an MTU of ${device.mtu}, more than ${uplink} leaves`,
              proof: `an echo request of ${device.mtu + (family === 4 ? 50 : 70)} bytes with DF set did not leave (${fullSize})`,
              remedy: `leave \`mtu\` out of the configuration, and restart the agent`,
            },
          ],
  }),
  device({
    code: "no-vnet-header",
    severity: "error",
    about: "the device is a TAP with vnet headers and several queues",
    why: "a TAP keeps the flags that it was made with; without them no offload works",
    cure: "delete the device: the agent makes it anew",
    judge: ({ link }) => {
      const { tun, name } = link!;
      const lacks =
        tun === null
          ? "is no TAP"
          : !tun.vnetHeader
            ? "has no vnet header"
            : tun.multiQueue
              ? ""
              : "has one queue";
      if (lacks === "") return [];
      const proof = `\`ip -details link show ${name}\``;
      return [{ seen: `${name} ${lacks}`, proof, remedy: `ip link del ${name}, and restart the agent` }];
    },
  }),
  device({
    code: "queue-taken",
    severity: "error",
    about: "nobody else reads from the device",
    why: "each queue gets a share of the frames: what the other process gets is lost",
    cure: "stop the other process",
    judge: ({ sharers, link }) =>
      sharers.map(({ command, pid }) => ({
        seen: `${command} (pid ${pid}) holds a queue of ${link!.name}, too`,
        proof: `/proc/${pid}/fdinfo names the device`,
        remedy: `stop pid ${pid}`,
      })),
  }),
  device({
    code: "qdisc",
    severity: "warning",
    about: "the device has no queueing discipline",
    why: "it queues what the TAP queues again, or drops and delays on somebody's behalf (netem, tbf)",
    cure: "`tc qdisc replace dev NAME root noqueue`",
    judge: ({ qdisc, link }) =>
      qdisc === null || qdisc === "noqueue"
        ? []
        : [
            {
              seen: `${link!.name} has the qdisc ${qdisc}`,
              proof: `\`ip link show ${link!.name}\``,
              remedy: `tc qdisc replace dev ${link!.name} root noqueue`,
            },
          ],
  }),
];

/**
 * Those whose rows there should be. Of one whose rows could not be set the agent says itself why (`peer-not-in-place`);
 * direct ones have none here.
 */
function inPlace(peers: readonly PeerEvidence[]): readonly PeerEvidence[] {
  return peers.filter((one) => !one.direct && isComparable(one));
}

/** Of a VTEP that is only flooded to there is no MAC, and no row. */
function isComparable({ peer: { state, vtepMac } }: PeerEvidence): boolean {
  if (vtepMac === "") return false;
  return state === "ok" || /could not be compared/.test(state);
}
