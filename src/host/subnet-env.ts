/**
 * subnet.env: what this node tells whoever sets up pods, in the words of flanneld (`pkg/subnet/subnet.go`,
 * WriteSubnetFile), read by its CNI plugin and by shells. Also our own memory: the subnet that we had before.
 */
import { type FileHandle, mkdir, open, readFile, realpath, rename, rm } from "node:fs/promises";
import { isIP } from "node:net";
import { dirname } from "node:path";
import { HostError } from "./command.ts";

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
    if (codeOf(error) === "ENOENT") return { ipv4: null, ipv6: null };
    throw inWords(path, "read", error);
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

/**
 * Writes the file so that nobody ever reads half of it: mode 0644, its directory 0755 where it has to be made. What a
 * write that was cut off left beside it goes with the next.
 * @throws HostError `HOST_FILE`
 */
export async function writeSubnetEnv(path: string, env: SubnetEnv): Promise<void> {
  try {
    await makeDirectory(dirname(path));
    // Where a link leads to the file, the file is replaced, not the link.
    const target = await realpath(path).catch(() => path);
    await replaceFile(target, formatSubnetEnv(env));
  } catch (error) {
    throw inWords(path, "written", error);
  }
}

async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o755 });
  if (first === undefined) return;
  // A umask of 077 is common for services, and the CNI plugin is not always root.
  const handle = await open(path, "r");
  await handle.chmod(0o755).finally(() => handle.close());
}

async function replaceFile(target: string, text: string): Promise<void> {
  const whole = `${target}.tmp`;
  await rm(whole, { force: true });
  let handle: FileHandle | undefined;
  try {
    handle = await open(whole, "wx", 0o644);
    await handle.chmod(0o644);
    await handle.writeFile(text);
    await handle.sync();
    await handle.close();
    await rename(whole, target);
  } catch (error) {
    await handle?.close().catch(() => {});
    await rm(whole, { force: true }).catch(() => {});
    throw error;
  }
}

const REASONS: Readonly<Record<string, readonly [why: string, remedy: string]>> = {
  EROFS: ["the file system is read-only", "mount it writable, or choose another place with --subnet-file"],
  ENOSPC: ["no space is left there", "make room, or choose another place with --subnet-file"],
  EDQUOT: ["the quota there is used up", "make room, or choose another place with --subnet-file"],
  EACCES: ["permission denied", "run as root, or choose another place with --subnet-file"],
  EPERM: ["not permitted", "run as root, or choose another place with --subnet-file"],
  EISDIR: ["it is a directory", "remove it: a container runtime makes one where a file to mount is missing"],
  ENOTDIR: ["a part of the path is no directory", "choose another place with --subnet-file"],
  EBUSY: ["it is mounted by itself", "mount its directory instead: the file is replaced as a whole"],
};

function inWords(path: string, what: "read" | "written", error: unknown): HostError {
  const { code = "", message } = error as NodeJS.ErrnoException;
  const [why, remedy] = REASONS[code] ?? [message, ""];
  return new HostError("HOST_FILE", `${path} cannot be ${what}: ${why}`, remedy, error);
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
