/** What this node had before, as subnet.env says: its subnets to be had again, its networks for rules that have to go. */
import { parseCidr } from "../../control/address.ts";
import type { NodeSubnets } from "../../control/flannel/node-lease.ts";
import type { Masqueraded } from "../../host/firewall/wish.ts";
import type { SubnetEnv, SubnetEnvFamily } from "../../host/subnet-env.ts";

export interface Former {
  /** Null where there were none. */
  readonly subnets: NodeSubnets | null;
  readonly networks: readonly Masqueraded[];
}

/** @param env of ours or of flanneld's */
export function formerOf({ ipv4, ipv6 }: Pick<SubnetEnv, "ipv4" | "ipv6">): Former {
  const family = (number: 4 | 6, one: SubnetEnvFamily | null): Masqueraded[] =>
    one === null ? [] : [{ family: number, network: canonical(one.network), subnet: canonical(one.subnet) }];
  const networks = [...family(4, ipv4), ...family(6, ipv6)];
  const subnetOf = (wanted: 4 | 6): string | null =>
    networks.find((one) => one.family === wanted)?.subnet ?? null;
  const subnets = { ipv4: subnetOf(4), ipv6: subnetOf(6) };
  return { subnets: networks.length === 0 ? null : subnets, networks };
}

/** Without the gateway's address that stands in a subnet. */
function canonical(cidr: string): string {
  const { network, prefix } = parseCidr(cidr);
  return `${network}/${prefix}`;
}
