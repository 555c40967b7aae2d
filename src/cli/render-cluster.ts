/** What `poplin status` says of the flannel cluster, and `poplin lease list` of its leases. Pure. */
import type { ClusterStatus, LeaseStatus } from "../agent/api/cluster-types.ts";
import { hang, paint, plural, roughly, type Style, table } from "./output.ts";

/** Rows for the head of the status; none where the peers stand in a file. */
export function clusterRows(cluster: ClusterStatus | null): [name: string, text: string][] {
  if (cluster === null) return [];
  const { store, lease, networks, subnets, publicIps, firewall, leases } = cluster;
  const named = subnets.some((subnet) => lease.includes(subnet.replace("/", "-"))) ? "" : ` (${lease})`;
  const rules = firewall.trouble === null ? "in place" : "not in place";
  return [
    [
      "cluster",
      `${networks.join(" and ")}, this node ${subnets.join(" and ")} as ${publicIps.join(" and ")}${named}`,
    ],
    [
      "store",
      `${store}, ${plural(leases.count, "lease")}${cluster.trouble === null ? "" : ", not heard now"}`,
    ],
    ["firewall", `${firewall.kind}, rules ${rules}`],
  ];
}

const TITLES = ["LEASE", "SUBNET", "PUBLIC IP", "VTEP MAC", "AGE"].map((title) => ({ title }));

/**
 * A line for each lease and family, below it what is wrong with it. What a lease is called is left out where that is its
 * subnets: in dual stack it is too long for a terminal.
 * @param now milliseconds since 1970
 */
export function leaseLines(leases: readonly LeaseStatus[], style: Style, now: number): string[] {
  if (leases.length === 0) return ["the store has no leases"];
  const sorted = [...leases].sort((a, b) => collator.compare(a.key, b.key));
  const named = !sorted.every(isNamedBySubnets);
  const rows = sorted.map((lease) => rowsOf(lease, named, now));
  const [titles, ...lines] = table(named ? TITLES : TITLES.slice(1), rows.flat(), style);
  return [
    titles!,
    ...sorted.flatMap((lease, i) => [...lines.splice(0, rows[i]!.length), ...remarks(lease, style)]),
  ];
}

/** 10.244.2.0-24 before 10.244.10.0-24. */
const collator = new Intl.Collator("en", { numeric: true });

/** As in etcd and a directory; an entry that is no lease has nothing but its name. */
function isNamedBySubnets({ key, subnets }: LeaseStatus): boolean {
  return subnets.length === 0 || key === subnets.map((subnet) => subnet.replace("/", "-")).join("&");
}

/** @param named whether there is a column for the lease's name; without one what has no subnet shows it as that */
function rowsOf(
  { key, subnets, publicIps, vtepMacs, since }: LeaseStatus,
  named: boolean,
  now: number,
): string[][] {
  const age = since === null ? "" : roughly((now - Date.parse(since)) / 1000);
  return Array.from({ length: Math.max(1, subnets.length) }, (_, i) => [
    ...(named ? [i === 0 ? key : ""] : []),
    subnets[i] ?? (named ? "" : key),
    publicIps[i] ?? "",
    vtepMacs[i] ?? "",
    i === 0 ? age : "",
  ]);
}

function remarks({ own, problem }: LeaseStatus, style: Style): string[] {
  if (own) return ["  this node's"];
  return problem === null ? [] : hang(`  ${paint(style, "yellow", "left out")}: `, problem, style.width);
}
