/** What the agent puts into the kernel's tables and its own for each peer, and its device's addresses. */
import type { Check } from "../check.ts";
import type { PeerEvidence } from "../evidence.ts";
import { ofDevice, TWICE } from "./of-overlay.ts";

export const ROWS: readonly Check[] = [
  ofDevice({
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
  ofDevice({
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
  ofDevice({
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
  ofDevice({
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
