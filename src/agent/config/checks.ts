/**
 * What is right by itself and wrong together: two peers with one MAC, overlapping subnets, a peer that is ourselves,
 * addresses of different families. Each check is a function that adds to the problems; all of them run.
 */
import {
  type Cidr,
  cidrContains,
  cidrsOverlap,
  type Family,
  familyOf,
  parseCidr,
} from "../../control/address.ts";
import { splitNeighbour } from "./neighbours.ts";
import type { LocatedLease } from "./peers.ts";
import type { Place, Problem } from "./problems.ts";
import type { SettingName, Settings } from "./schema.ts";

/** Everything that could be read, with its places. */
export interface Draft {
  /** With their defaults; `peers` is left to the next field. */
  readonly settings: Settings;
  readonly places: ReadonlyMap<SettingName, Place>;
  /** For each element of `address`, its place. */
  readonly addressPlaces: readonly Place[];
  /** The same of `remote`. */
  readonly remotePlaces: readonly Place[];
  readonly peers: readonly LocatedLease[];
  /** Of one of several overlays: what stands before its own settings in a message, as "overlays[1]." */
  readonly prefix?: string;
  /** Of one of several overlays: the underlay's family, which is that of all of them. */
  readonly family?: Family;
}

type Report = (place: Place, setting: string, message: string, hint?: string) => void;

interface LocatedSubnet {
  readonly cidr: Cidr;
  readonly place: Place;
  readonly peer: LocatedLease;
}

/**
 * Checks a draft. @returns what is wrong, and what is only suspicious.
 * @param all the overlays of the agent, of which it is one: their routes stand in one table
 */
export function checkDraft(
  draft: Draft,
  all: readonly Draft[] = [draft],
): { problems: Problem[]; warnings: Problem[] } {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const report: Report = (place, setting, message, hint = "") =>
    problems.push({ place, setting, message, hint });
  const warn: Report = (place, setting, message, hint = "") =>
    warnings.push({ place, setting, message, hint });
  const subnets = subnetsOf(draft.peers);
  const allPeers = all.flatMap(({ peers }) => peers);
  const allSubnets = all.length === 1 ? subnets : subnetsOf(allPeers);
  checkDevice(draft, report);
  checkSourcePorts(draft, report);
  checkFamilies(draft, report);
  checkFlooding(draft, report);
  checkLearning(draft, report);
  checkHeaders(draft, report);
  checkMacs(draft, report);
  checkPublicIps(draft, report, warn);
  if (draft === all[0]) {
    checkOverlaps(allSubnets, report);
    checkLoops({ ...draft, peers: allPeers }, allSubnets, report);
  }
  checkAddresses(draft, allSubnets, report);
  checkMtu(draft, subnets, report);
  checkNeighbours(draft, report, warn);
  return { problems, warnings };
}

function subnetsOf(peers: readonly LocatedLease[]): LocatedSubnet[] {
  return peers.flatMap((peer) =>
    peer.lease.subnets.map((text, i) => ({ cidr: parseCidr(text), place: peer.places.subnets[i]!, peer })),
  );
}

/** @returns the family of the underlay: that of `local`, or of the first address that frames are sent to. */
export function underlayFamily(
  { local, remote, group }: Pick<Settings, "local" | "remote" | "group">,
  publicIps: readonly string[],
): Family {
  const sample = local ?? publicIps[0] ?? remote[0] ?? group ?? undefined;
  return sample === undefined ? 4 : familyOf(sample);
}

function placeOf(draft: Draft, name: SettingName): Place {
  return draft.places.get(name) ?? { source: "default" };
}

function checkDevice({ settings, ...draft }: Draft, report: Report): void {
  const name = `flannel.${settings.vni}`;
  if (settings.device !== null || name.length <= 15) return;
  const place = draft.places.get("vni") ?? { source: "default" };
  const message = `the device's name would be ${name}, and the kernel takes up to 15 characters`;
  report(place, "device", message, "give the device a name of its own, as `device: poplin0`");
}

function checkSourcePorts(draft: Draft, report: Report): void {
  const { port, sourcePorts } = draft.settings;
  if (sourcePorts === "fixed" || sourcePorts.first !== port || sourcePorts.last !== port) return;
  const message = `${port} is the VXLAN port, on which we receive`;
  report(placeOf(draft, "sourcePorts"), "sourcePorts", message, "write `fixed` to send from it");
}

function checkFamilies(draft: Draft, report: Report): void {
  const { local } = draft.settings;
  const family = familyOfDraft(draft);
  const reference = local === null ? "that of the peers before it" : `our own (local: ${local})`;
  for (const { lease, name, places } of draft.peers) {
    if (familyOf(lease.publicIp) === family) continue;
    const message = `${lease.publicIp} is IPv${familyOf(lease.publicIp)}, and ${reference} is IPv${family}`;
    report(places.publicIp, `${name}.publicIp`, message, "an overlay has one underlay family");
  }
  if (draft.settings.underlay === "raw" && family === 6) {
    report(placeOf(draft, "underlay"), "underlay", "raw sends over IPv4 only", "use batch or dgram");
  }
}

/** Where frames without a row go. */
function checkFlooding(draft: Draft, report: Report): void {
  const { local, remote, group, underlay } = draft.settings;
  const family = familyOfDraft(draft);
  remote.forEach((address, i) => {
    const place = draft.remotePlaces[i] ?? placeOf(draft, "remote");
    if (familyOf(address) !== family) {
      const message = `${address} is IPv${familyOf(address)}, and the underlay is IPv${family}`;
      report(place, "remote", message, "an overlay has one underlay family");
    }
    if (address === local) {
      report(place, "remote", `${address} is our own address`, "the list holds the other VTEPs");
    }
  });
  if (group === null) return;
  if (familyOf(group) !== family) {
    const message = `${group} is IPv${familyOf(group)}, and the underlay is IPv${family}`;
    report(placeOf(draft, "group"), "group", message, `write an IPv${family} group`);
  }
  if (underlay === "raw") {
    const hint = "use batch or dgram, or list the VTEPs in `remote`";
    report(placeOf(draft, "group"), "group", "the raw underlay sends to no group", hint);
  }
}

function checkLearning(draft: Draft, report: Report): void {
  const { learning, senderCheck } = draft.settings;
  if (!learning || senderCheck !== "mac") return;
  const message = "`mac` lets in the MACs of the peers only, and so there is nothing to learn";
  report(placeOf(draft, "senderCheck"), "senderCheck", message, "use strict or off with `learning`");
}

/** @returns the family of a draft's underlay */
export function familyOfDraft({ settings, peers, family }: Draft): Family {
  const publicIps = peers.map(({ lease }) => lease.publicIp);
  return family ?? underlayFamily(settings, publicIps);
}

/** What an outer header of this family, or sockets like these, cannot have. */
function checkHeaders(draft: Draft, report: Report): void {
  const { df, flowlabel, sourcePorts, underlay } = draft.settings;
  const family = familyOfDraft(draft);
  if (flowlabel !== 0 && family === 4) {
    const message = "the flow label needs IPv6, and the underlay is IPv4";
    report(placeOf(draft, "flowlabel"), "flowlabel", message, "leave it out");
  }
  if (df === "inherit" && family === 4 && underlay === "batch" && sourcePorts === "fixed") {
    const message =
      "`inherit` takes two sockets for each source port, and with `sourcePorts: fixed` there is one";
    report(placeOf(draft, "df"), "df", message, "give a range of source ports");
  }
}

function checkMacs(draft: Draft, report: Report): void {
  const seen = new Map<string, string>();
  for (const { lease, name, places } of draft.peers) {
    const other = seen.get(lease.vtepMac);
    if (lease.vtepMac === draft.settings.vtepMac) {
      const message = `${lease.vtepMac} is our own MAC`;
      report(
        places.vtepMac,
        `${name}.vtepMac`,
        message,
        "write the MAC of the peer's device, or remove the peer",
      );
    } else if (other !== undefined) {
      const message = `${lease.vtepMac} is the MAC of ${other}, too`;
      report(places.vtepMac, `${name}.vtepMac`, message, "each VTEP has a MAC of its own");
    }
    if (other === undefined) seen.set(lease.vtepMac, name);
  }
}

function checkPublicIps(draft: Draft, report: Report, warn: Report): void {
  const seen = new Map<string, string>();
  for (const { lease, name, places } of draft.peers) {
    const key = `${lease.publicIp} ${lease.port ?? draft.settings.port}`;
    const other = seen.get(key);
    if (
      lease.publicIp === draft.settings.local &&
      (lease.port ?? draft.settings.port) === draft.settings.port
    ) {
      const hint = "remove the peer: the list holds the other nodes";
      report(places.publicIp, `${name}.publicIp`, `${lease.publicIp} is our own address`, hint);
    } else if (other !== undefined) {
      const message = `${lease.publicIp} is the address of ${other}, too`;
      warn(places.publicIp, `${name}.publicIp`, message, "two VTEPs at one address and port are rare");
    }
    if (other === undefined) seen.set(key, name);
  }
}

/** Sorted by first address, a subnet overlaps one before it exactly when it starts inside the one that ends last. */
function checkOverlaps(subnets: readonly LocatedSubnet[], report: Report): void {
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
function checkLoops(draft: Draft, subnets: readonly LocatedSubnet[], report: Report): void {
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

function checkAddresses(draft: Draft, subnets: readonly LocatedSubnet[], report: Report): void {
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

function checkMtu(draft: Draft, subnets: readonly LocatedSubnet[], report: Report): void {
  const { mtu, address } = draft.settings;
  const inner6 =
    subnets.some(({ cidr }) => cidr.family === 6) || address.some((text) => familyOf(text) === 6);
  if (mtu === null || mtu >= 1280 || !inner6) return;
  const message = `${mtu} is too little for IPv6 inside the overlay`;
  report(placeOf(draft, "mtu"), "mtu", message, "IPv6 needs links of 1280 (RFC 8200 section 5)");
}

function checkNeighbours(draft: Draft, report: Report, warn: Report): void {
  const { neighbours, proxy, l3miss } = draft.settings;
  const seen = new Set<string>();
  for (const { address } of neighbours.map(splitNeighbour)) {
    if (seen.has(address)) {
      const message = `${address} is given twice`;
      report(placeOf(draft, "neighbours"), "neighbours", message, "an address has one MAC");
    }
    seen.add(address);
  }
  if (l3miss && !proxy) {
    warn(placeOf(draft, "l3miss"), "l3miss", "has no effect without proxy", "write `proxy: true`, too");
  }
}
