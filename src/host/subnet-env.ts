/**
 * subnet.env: what this node tells whoever sets up pods, in the words of flanneld (`pkg/subnet/subnet.go`,
 * WriteSubnetFile), read by its CNI plugin and by shells. Also our own memory: the subnet that we had before.
 */
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { fileError, writeWhole } from "./whole-file.ts";

/** One family, as it stands in the file. */
export interface SubnetEnvFamily {
  /** CIDR of all pods: "10.244.0.0/16". */
  readonly network: string;
  /** CIDR of this node's pods with the address of their gateway, the first of the subnet: "10.244.1.1/24". */
  readonly subnet: string;
}

export interface SubnetEnv {
  /** Null where the family is off. */
  readonly ipv4: SubnetEnvFamily | null;
  readonly ipv6: SubnetEnvFamily | null;
  /** MTU of the overlay, which is the pods'. */
  readonly mtu: number;
  /** Whether this node masquerades, so that the CNI plugin does not. */
  readonly ipMasq: boolean;
}

/** @returns the file's text */
export function formatSubnetEnv({ ipv4, ipv6, mtu, ipMasq }: SubnetEnv): string {
  return [
    ...(ipv4 === null ? [] : [`FLANNEL_NETWORK=${ipv4.network}`, `FLANNEL_SUBNET=${ipv4.subnet}`]),
    ...(ipv6 === null ? [] : [`FLANNEL_IPV6_NETWORK=${ipv6.network}`, `FLANNEL_IPV6_SUBNET=${ipv6.subnet}`]),
    `FLANNEL_MTU=${mtu}`,
    `FLANNEL_IPMASQ=${ipMasq}`,
    "",
  ].join("\n");
}

/**
 * What this node had before. As in flanneld a value that is no CIDR, or more than one, counts as none.
 * @returns null for both families without such a file
 * @throws HostError `HOST_FILE` when it is there and cannot be read
 */
export async function readSubnetEnv(path: string): Promise<Pick<SubnetEnv, "ipv4" | "ipv6">> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { ipv4: null, ipv6: null };
    throw fileError(path, "read", FLAG, error);
  }
  const variables = parseSubnetEnv(text);
  const family = (number: 4 | 6, infix: string): SubnetEnvFamily | null => {
    const network = variables.get(`FLANNEL_${infix}NETWORK`) ?? "";
    const subnet = variables.get(`FLANNEL_${infix}SUBNET`) ?? "";
    return isCidr(network, number) && isCidr(subnet, number) ? { network, subnet } : null;
  };
  return { ipv4: family(4, ""), ipv6: family(6, "IPV6_") };
}

/** @param text lines of NAME=value, with or without quotes, as a shell would take them; others are passed over */
export function parseSubnetEnv(text: string): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name, quoted, single, plain = ""] =
      /^\s*(?:export\s+)?([A-Z0-9_]+)=(?:"([^"]*)"|'([^']*)'|([^\s"']*))\s*(?:#.*)?$/.exec(line) ?? [];
    if (name !== undefined) variables.set(name, quoted ?? single ?? plain);
  }
  return variables;
}

function isCidr(text: string, family: 4 | 6): boolean {
  const [, address = "", prefix = ""] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  return isIP(address) === family && Number(prefix) <= (family === 4 ? 32 : 128);
}

/** Writes the file so that nobody ever reads half of it. @throws HostError `HOST_FILE` */
export function writeSubnetEnv(path: string, env: SubnetEnv): Promise<void> {
  return writeWhole(path, formatSubnetEnv(env), FLAG);
}

const FLAG = "--subnet-file";
