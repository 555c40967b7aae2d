/** What is wrong with the subnets of peers: among each other, and with the addresses and the MTU that stand beside them. */
import { type Cidr, cidrContains, cidrsOverlap, familyOf, parseCidr } from "../../control/address.ts";
import { type Draft, placeOf, type Report } from "./draft.ts";
import type { LocatedLease } from "./peers.ts";
import type { Place } from "./problems.ts";

/** A subnet of a peer, and where it stands. */
export interface LocatedSubnet {
  readonly cidr: Cidr;
  readonly place: Place;
  readonly peer: LocatedLease;
}

/** @returns the subnets of peers, in their order */
export function subnetsOf(peers: readonly LocatedLease[]): LocatedSubnet[] {
  return peers.flatMap((peer) =>
    peer.lease.subnets.map((text, i) => ({ cidr: parseCidr(text), place: peer.places.subnets[i]!, peer })),
  );
}

/** Sorted by first address, a subnet overlaps one before it exactly when it starts inside the one that ends last. */
export function checkOverlaps(subnets: readonly LocatedSubnet[], report: Report): void {
  for (const family of [4, 6] as const) {
    const sorted = subnets
      .map((subnet, order) => ({ ...subnet, order }))
      .filter(({ cidr }) => cidr.family === family)
      .sort((a, b) =>
        a.cidr.first < b.cidr.first ? -1 : a.cidr.first > b.cidr.first ? 1 : a.order - b.order,
      );
    let widest = sorted[0];
    for (const subnet of sorted.slice(1)) {
      if (widest !== undefined && cidrsOverlap(widest.cidr, subnet.cidr)) {
        const [first, second] = widest.order < subnet.order ? [widest, subnet] : [subnet, widest];
        const whose = first.peer === second.peer ? "the same peer" : first.peer.name;
        const message = `${second.cidr.text} overlaps ${first.cidr.text} of ${whose}`;
        report(second.place, `${second.peer.name}.subnet`, message, "each address lives behind one peer");
      }
      if (widest === undefined || subnet.cidr.last > widest.cidr.last) widest = subnet;
    }
  }
}

/** An underlay address inside the overlay: the packets that carry the overlay would be sent into it. */
export function checkLoops(draft: Draft, subnets: readonly LocatedSubnet[], report: Report): void {
  const { local } = draft.settings;
  const publicIps = draft.peers.map(({ lease, name }) => ({
    address: lease.publicIp,
    whose: `publicIp of ${name}`,
  }));
  const underlay = local === null ? publicIps : [{ address: local, whose: "local" }, ...publicIps];
  const numbers = underlay
    .map((one) => ({ ...one, cidr: parseCidr(`${one.address}/${familyOf(one.address) === 4 ? 32 : 128}`) }))
    .sort((a, b) => (a.cidr.first < b.cidr.first ? -1 : 1));
  for (const { cidr, place, peer } of subnets) {
    const inside = firstInside(numbers, cidr);
    if (inside === null) continue;
    const message = `${cidr.text} holds the underlay address ${inside.address} (${inside.whose})`;
    report(
      place,
      `${peer.name}.subnet`,
      message,
      "packets to it would loop into the overlay: use another subnet",
    );
  }
}

/** Binary search: the first of the sorted single addresses that is not before `cidr`, if it is inside. */
function firstInside<T extends { cidr: Cidr }>(sorted: readonly T[], cidr: Cidr): T | null {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]!.cidr.first < cidr.first) low = middle + 1;
    else high = middle;
  }
  // Addresses of the other family with the same number may stand in between.
  for (let i = low; i < sorted.length && sorted[i]!.cidr.first <= cidr.last; i++) {
    if (sorted[i]!.cidr.family === cidr.family) return sorted[i]!;
  }
  return null;
}

/** The device's own addresses. */
export function checkAddresses(draft: Draft, subnets: readonly LocatedSubnet[], report: Report): void {
  draft.settings.address.forEach((text, i) => {
    const place = draft.addressPlaces[i] ?? placeOf(draft, "address");
    const { address } = parseCidr(text);
    const taken = subnets.find(({ cidr }) => cidrContains(cidr, address));
    if (taken !== undefined) {
      const message = `${address} lies in ${taken.cidr.text}, the subnet of ${taken.peer.name}`;
      report(place, "address", message, "the device's address is one of our own subnet");
    }
    if (draft.settings.address.indexOf(text) < i) report(place, "address", `${text} is given twice`);
  });
}

/** IPv6 inside the overlay sets a lower bound. */
export function checkMtu(draft: Draft, subnets: readonly LocatedSubnet[], report: Report): void {
  const { mtu, address } = draft.settings;
  const inner6 =
    subnets.some(({ cidr }) => cidr.family === 6) || address.some((text) => familyOf(text) === 6);
  if (mtu === null || mtu >= 1280 || !inner6) return;
  const message = `${mtu} is too little for IPv6 inside the overlay`;
  report(placeOf(draft, "mtu"), "mtu", message, "IPv6 needs links of 1280 (RFC 8200 section 5)");
}
