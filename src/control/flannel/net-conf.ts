/**
 * net-conf.json: what all nodes of a flannel cluster agree on. Read as flannel reads it (`pkg/subnet/config.go`,
 * `pkg/backend/vxlan/vxlan.go`): its keys, its defaults, its limits. What flannel leaves to the kernel to refuse (VNI,
 * port, MTU) is refused here, in words.
 *
 * Where nodes pick their subnets themselves (etcd, file) sizes and bounds of subnets are checked, too; where they are
 * assigned (Kubernetes) flannel ignores those keys, and so does this.
 */
import { type Cidr, cidrContains, type Family, parseCidr } from "../address.ts";
import { readBackend, type VxlanBackend } from "./backend.ts";
import { EXAMPLE, FieldReader, type Fields, fieldsOf, type Problem, parseJson } from "./fields.ts";
import { checkPool, type SubnetPool } from "./subnets.ts";

/** What is said of one family: the network of all pods, and how it is cut into subnets of nodes. */
export interface FamilyConf {
  readonly network: Cidr;
  /** Null where subnets are assigned. */
  readonly pool: SubnetPool | null;
}

export interface NetConf {
  /** Null where the family is off. At least one is on. */
  readonly ipv4: FamilyConf | null;
  readonly ipv6: FamilyConf | null;
  readonly nftables: boolean;
  readonly backend: VxlanBackend;
}

/** Whether a node picks its subnet, or is given one. */
export type SubnetSource = "picked" | "assigned";

export interface NetConfResult {
  /** Null exactly when there are problems. */
  readonly conf: NetConf | null;
  /** What has to be corrected. */
  readonly problems: readonly Problem[];
  /** What will not be as it says, though the node works. */
  readonly warnings: readonly Problem[];
}

const WHOLE_EXAMPLE = `{"Network": "${EXAMPLE[4]}", "Backend": {"Type": "vxlan"}}`;

/** Reads net-conf.json. Pure; never throws, whatever the text. */
export function parseNetConf(text: string, source: SubnetSource): NetConfResult {
  const reader = new FieldReader();
  const warnings: Problem[] = [];
  const fields = topOf(text, reader);
  const conf = fields === null ? null : readConf(fields, source, reader, warnings);
  return { conf: reader.problems.length === 0 ? conf : null, problems: reader.problems, warnings };
}

function topOf(text: string, reader: FieldReader): Fields | null {
  const remedy = `the least there has to be is ${WHOLE_EXAMPLE}`;
  if (text.startsWith("\uFEFF")) {
    reader.problem("it begins with a byte order mark, which JSON has not", "save it as UTF-8 without BOM");
    return null;
  }
  try {
    const fields = fieldsOf(parseJson(text));
    if (fields === null) reader.problem("it is no JSON object", remedy);
    return fields;
  } catch (error) {
    reader.problem(text.trim() === "" ? "it is empty" : (error as Error).message, remedy);
    return null;
  }
}

function readConf(
  fields: Fields,
  source: SubnetSource,
  reader: FieldReader,
  warnings: Problem[],
): NetConf | null {
  const on4 = reader.flag(fields, "EnableIPv4", true);
  const on6 = reader.flag(fields, "EnableIPv6", false);
  if (!on4 && !on6) reader.problem("both EnableIPv4 and EnableIPv6 are off", "switch one of them on");
  const ipv4 = readFamily(fields, 4, on4, source, reader);
  const ipv6 = readFamily(fields, 6, on6, source, reader);
  const nftables = reader.flag(fields, "EnableNFTables", false);
  const backend = readBackend(fields, on6 ? 6 : 4, reader, warnings);
  return backend === null ? null : { ipv4, ipv6, nftables, backend };
}

/**
 * Values of a wrong type are mistakes in a family that is off, too: Go would not read the file.
 * @returns null where the family is off, or there is a problem
 */
function readFamily(
  fields: Fields,
  family: Family,
  on: boolean,
  source: SubnetSource,
  reader: FieldReader,
): FamilyConf | null {
  const before = reader.problems.length;
  const prefix = family === 4 ? "" : "IPv6";
  const key = `${prefix}Network`;
  const text = reader.text(fields, key);
  const wish = {
    length: reader.number(fields, `${prefix}SubnetLen`, 0, family === 4 ? 32 : 128),
    min: reader.text(fields, `${prefix}SubnetMin`),
    max: reader.text(fields, `${prefix}SubnetMax`),
  };
  if (!on || reader.problems.length > before) return null;
  if (text === "") {
    reader.problem(`there is no ${key}`, `give the network of all pods, as "${key}": "${EXAMPLE[family]}"`);
    return null;
  }
  const network = reader.network(text, key, family);
  if (network === null) return null;
  if (network.prefix === 0) {
    reader.problem(`${key} ${network.text} is every address there is`, "give the network of all pods alone");
    return null;
  }
  if (source === "assigned") return { network, pool: null };
  const pool = checkPool(network, wish);
  if (!("message" in pool)) return { network, pool };
  reader.problem(pool.message, pool.remedy);
  return null;
}

/** @returns whether a subnet that a node was given lies inside the network of all pods */
export function inNetwork({ network }: FamilyConf, subnet: string): boolean {
  const { family, network: first, prefix } = parseCidr(subnet);
  return family === network.family && prefix >= network.prefix && cidrContains(network, first);
}
