/**
 * What is right by itself and wrong together: two peers with one MAC, a peer that is ourselves, addresses of different
 * families, and what is about subnets (`subnet-checks.ts`). Each check is a function that adds to the problems; all of
 * them run.
 */
import { familyOf } from "../../control/address.ts";
import { type Draft, familyOfDraft, placeOf, type Report } from "./draft.ts";
import { splitNeighbour } from "./neighbours.ts";
import type { Problem } from "./problems.ts";
import { checkAddresses, checkLoops, checkMtu, checkOverlaps, subnetsOf } from "./subnet-checks.ts";

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

function checkDevice(draft: Draft, report: Report): void {
  const { device, vni } = draft.settings;
  const name = `flannel.${vni}`;
  if (device !== null || name.length <= 15) return;
  const message = `the device's name would be ${name}, and the kernel takes up to 15 characters`;
  report(placeOf(draft, "vni"), "device", message, "give the device a name of its own, as `device: poplin0`");
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
