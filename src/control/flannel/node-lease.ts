/**
 * What a node publishes of itself, and how flannel writes it down: a key that names its subnets and a value that says
 * how it is reached (`pkg/subnet/subnet.go`, `pkg/subnet/etcd/registry.go`, `pkg/lease/lease.go`). Other nodes parse
 * both, so they are byte for byte what Go's encoding/json makes.
 *
 *   10.12.13.0-24                        {"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan",
 *   10.12.13.0-24&fd00:12:13::-56         "BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}
 */
import { formatMacKey, parseMac } from "../../wire/bytes.ts";
import { type Family, familyOf, parseAddress, parseCidr } from "../address.ts";
import { fieldsOf, parseJson, shown } from "./fields.ts";

/** Subnets of a node: at least one of them. CIDRs, canonical. */
export interface NodeSubnets {
  readonly ipv4: string | null;
  readonly ipv6: string | null;
}

/** flannel's LeaseAttrs. Data of the backend is as it came: whoever reads it checks it. */
export interface LeaseAttributes {
  readonly publicIp: string | null;
  readonly publicIpv6: string | null;
  readonly backendType: string;
  readonly backendData: unknown;
  readonly backendV6Data: unknown;
}

/** A lease as a store holds it. */
export interface NodeLease {
  /** The store's name for it: the etcd key's last part, the file's name, the node's name. */
  readonly key: string;
  readonly subnets: NodeSubnets;
  readonly attributes: LeaseAttributes;
}

/** @returns the text that names a node's subnets in a key */
export function subnetKey({ ipv4, ipv6 }: NodeSubnets): string {
  return [ipv4, ipv6]
    .filter((cidr) => cidr !== null)
    .map((cidr) => cidr.replace("/", "-"))
    .join("&");
}

/**
 * @param key as flannel's expression for it takes it (`pkg/subnet/subnet.go`, ParseSubnetKey)
 * @returns the subnets that it names, without host bits; null where it names none
 */
export function parseSubnetKey(key: string): NodeSubnets | null {
  const match = KEY.exec(key) ?? KEY_IPV6.exec(key);
  if (match === null) return null;
  const { v4, length4, v6, length6 } = match.groups!;
  try {
    return {
      ipv4: v4 === undefined ? null : subnetOf(v4, Number(length4), 31),
      ipv6: v6 === undefined ? null : subnetOf(v6, Number(length6), 127),
    };
  } catch {
    return null;
  }
}

const KEY = /^(?<v4>\d+\.\d+\.\d+\.\d+)-(?<length4>\d{1,3})(?:&(?<v6>[a-f\d:]+)-(?<length6>\d{1,3}))?$/;
/** In a network of IPv6 alone, which flannel cannot keep in etcd, our keys have no IPv4 part. */
const KEY_IPV6 = /^(?<v6>[a-f\d]*:[a-f\d:]*)-(?<length6>\d{1,3})$/;

/** @param longest what flannel's 5 and 7 bits for a length can hold @throws Error where it is no subnet */
function subnetOf(address: string, length: number, longest: number): string {
  if (length > longest) throw new Error(`/${length} is too long for a subnet`);
  const { network, prefix } = parseCidr(`${address}/${length}`);
  return `${network}/${prefix}`;
}

/** PublicIP of a node that has none: to Go it is a number, and cannot be null. */
const NO_ADDRESS = "0.0.0.0";

/** @returns the value of a lease as flannel writes it */
export function formatAttributes(attributes: LeaseAttributes): string {
  const { publicIp, publicIpv6, backendType, backendData, backendV6Data } = attributes;
  return JSON.stringify({
    PublicIP: publicIp ?? NO_ADDRESS,
    PublicIPv6: publicIpv6,
    ...(backendType === "" ? {} : { BackendType: backendType }),
    ...(backendData === null ? {} : { BackendData: backendData }),
    ...(backendV6Data === null ? {} : { BackendV6Data: backendV6Data }),
  });
}

/**
 * Reads the value of a lease, as Go would: keys in any case, what is not known ignored.
 * @throws Error saying what is wrong with it
 */
export function parseAttributes(text: string): LeaseAttributes {
  const fields = fieldsOf(parseJson(text));
  if (fields === null) throw new Error("it is no JSON object");
  const publicIp = addressIn(fields.get("publicip"), 4, "PublicIP");
  const backendType = fields.get("backendtype") ?? "";
  if (typeof backendType !== "string") throw new Error(`BackendType is ${shown(backendType)}, and no text`);
  return {
    publicIp: publicIp === NO_ADDRESS ? null : publicIp,
    publicIpv6: addressIn(fields.get("publicipv6"), 6, "PublicIPv6"),
    backendType,
    backendData: checkBackendData(fields.get("backenddata")),
    backendV6Data: checkBackendData(fields.get("backendv6data")),
  };
}

function addressIn(value: unknown, family: Family, key: string): string | null {
  if (value === undefined || value === null || value === "") return null;
  if (typeof value !== "string") throw new Error(`${key} is ${shown(value)}, and no text`);
  try {
    const address = parseAddress(value);
    if (familyOf(address) === family) return address;
  } catch {
    // Said below, and shorter: the text may be of any length.
  }
  throw new Error(`${key} is ${shown(value)}, and no IPv${family} address`);
}

/** Far more levels than any backend's data have. */
const MOST_LEVELS = 8;

/**
 * Data of a backend that came from outside, as parsed JSON.
 * @returns the same; null for nothing
 * @throws Error where it is nested so deep that to write it down again could overflow the stack
 */
export function checkBackendData(data: unknown): unknown {
  if (!isShallow(data, MOST_LEVELS)) throw new Error("its backend data is nested too deep");
  return data ?? null;
}

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return levels > 0 && Object.values(value).every((each) => isShallow(each, levels - 1));
}

/** What a VXLAN node says of its device. */
export interface VxlanData {
  /** Null where an older node does not say. */
  readonly vni: number | null;
  /** Lower case, with colons. */
  readonly vtepMac: string;
}

/**
 * The data of flannel's VXLAN backend. Compact, and the MAC the last and only text: flanneld looks for its own MAC in it
 * by cutting it at `:"` (`pkg/subnet/kube/kube.go`, GetStoredMacAddresses).
 */
export function vxlanData(vni: number, vtepMac: string): { VNI: number; VtepMAC: string } {
  return { VNI: vni, VtepMAC: vtepMac };
}

/**
 * Reads the data of flannel's VXLAN backend, keys in any case.
 * @returns VNI and MAC; else, as text, what is wrong with them
 */
export function readVxlanData(data: unknown): VxlanData | string {
  const fields = fieldsOf(data);
  const mac = fields?.get("vtepmac") ?? null;
  const vni = fields?.get("vni") ?? null;
  if (mac === null)
    return "its backend data has no VtepMAC: flanneld or poplin has to publish the lease again";
  if (typeof mac !== "string") return `its VtepMAC is ${shown(mac)}, and no text`;
  if (vni !== null && typeof vni !== "number") return `its VNI is ${shown(vni)}, and no number`;
  try {
    const { hi, lo } = parseMac(mac);
    if ((hi & 0x0100) !== 0) return `its VtepMAC ${mac} is a group's`;
    if (hi === 0 && lo === 0) return `its VtepMAC ${mac} is nobody's`;
    return { vni, vtepMac: formatMacKey(hi, lo) };
  } catch {
    return `its VtepMAC ${shown(mac)} is no MAC`;
  }
}
