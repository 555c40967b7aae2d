/** What subnet.env says of this node's pods, as flannel's plugin reads it. */
import { readFileSync } from "node:fs";
import { parseSubnetEnv } from "../host/subnet-env.ts";
import { networkOf } from "./cidr.ts";
import { CNI_CODE, CniError } from "./error.ts";

export interface PodNetwork {
  /** CIDRs of all pods, those of IPv4 first: "10.244.0.0/16". */
  readonly networks: readonly string[];
  /** CIDRs of this node's pods, at most one of each family: "10.244.1.0/24". */
  readonly subnets: readonly string[];
  readonly mtu: number;
  /** Whether the node masquerades, so that the delegate does not. */
  readonly ipMasq: boolean;
}

/** @throws CniError: "try again" where the file is not there yet */
export function readPodNetwork(path: string): PodNetwork {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") {
      throw new CniError(CNI_CODE.io, `${path} cannot be read: ${(error as Error).message}`);
    }
    const details =
      "flanneld writes it when it is ready: is it running on this node, and what does its log say?";
    throw new CniError(CNI_CODE.tryAgain, `there is no ${path}`, details);
  }
  return parsePodNetwork(text, path);
}

/** @param path for messages @throws CniError */
export function parsePodNetwork(text: string, path: string): PodNetwork {
  const variables = parseSubnetEnv(text);
  const value = (name: string): string => variables.get(name) ?? "";
  // Without host bits: in FLANNEL_SUBNET stands the gateway's address.
  const cidrs = (...names: string[]): string[] =>
    names.flatMap((name) =>
      value(name)
        .split(",")
        .filter(Boolean)
        .map((text) => {
          const network = networkOf(text);
          if (network === null) throw bad(path, `has no CIDR in ${name}: ${text}`);
          return network;
        }),
    );
  const networks = [...new Set(cidrs("FLANNEL_NETWORK", "FLANNEL_IPV6_NETWORK"))];
  const subnets = cidrs("FLANNEL_SUBNET", "FLANNEL_IPV6_SUBNET");
  const missing = [
    ...(networks.length > 0 ? [] : ["FLANNEL_NETWORK, FLANNEL_IPV6_NETWORK"]),
    ...(subnets.length > 0 ? [] : ["FLANNEL_SUBNET, FLANNEL_IPV6_SUBNET"]),
    ...["FLANNEL_MTU", "FLANNEL_IPMASQ"].filter((name) => value(name) === ""),
  ];
  if (missing.length > 0) throw bad(path, `is missing ${missing.join(", ")}`);
  const mtu = Number(value("FLANNEL_MTU"));
  if (!/^\d+$/.test(value("FLANNEL_MTU")) || mtu >= 2 ** 32) throw bad(path, "has no number in FLANNEL_MTU");
  return { networks, subnets, mtu, ipMasq: value("FLANNEL_IPMASQ") === "true" };
}

function bad(path: string, what: string): CniError {
  return new CniError(CNI_CODE.config, `${path} ${what}`, "flanneld writes it: start it again on this node");
}
