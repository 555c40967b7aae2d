/**
 * The options of `ip link add type vxlan`, each with the setting that means the same here, or why there is none. Who
 * knows the one knows the other: `poplin vtep` takes them as flags, a file as keys, and `--explain` goes the other way.
 */
import type { SettingName } from "./schema.ts";
import type { Raw } from "./values.ts";

/** How an option is written: with a value, with two, or as `learning` and `nolearning`. */
export type OptionForm = "value" | "range" | "switch";

export interface KernelOption {
  /** iproute2's word. */
  readonly name: string;
  readonly form: OptionForm;
  /** Null: there is none, for the reason in `why`. */
  readonly setting: SettingName | null;
  /** From the option's value to the setting's; left out: the same. */
  readonly convert?: (raw: Raw) => Raw;
  /** Why there is no setting, or what is not as in the kernel. */
  readonly why?: string;
}

const range = (raw: Raw): Raw =>
  String(raw)
    .trim()
    .replace(/[\s,]+/, "-");
const isYes = (raw: Raw): boolean => raw === true || raw === "true" || raw === "on" || raw === "yes";
const computed = (raw: Raw): Raw => (isYes(raw) ? "computed" : "zero");

/** All of them, in the order of ip-link(8). */
export const KERNEL_OPTIONS: readonly KernelOption[] = [
  { name: "id", form: "value", setting: "vni" },
  { name: "dev", form: "value", setting: "dev" },
  { name: "group", form: "value", setting: "group" },
  {
    name: "remote",
    form: "value",
    setting: "remote",
    why: "it may be given several times, where the kernel needs `bridge fdb append` for the second",
  },
  { name: "local", form: "value", setting: "local" },
  { name: "ttl", form: "value", setting: "ttl" },
  { name: "tos", form: "value", setting: "tos" },
  { name: "df", form: "value", setting: "df" },
  { name: "flowlabel", form: "value", setting: "flowlabel" },
  {
    name: "dstport",
    form: "value",
    setting: "port",
    convert: (raw) => (Number(raw) === 0 ? "8472" : raw),
  },
  {
    name: "srcport",
    form: "range",
    setting: "sourcePorts",
    convert: (raw) => (range(raw) === "0-0" ? "49152-65535" : range(raw)),
    why: "from 1024 on",
  },
  {
    name: "reserved_bits",
    form: "value",
    setting: null,
    why: "a mask of bits to let pass (kernel 6.14): `reservedBits: rfc` lets all pass, `linux` none",
  },
  { name: "learning", form: "switch", setting: "learning" },
  { name: "proxy", form: "switch", setting: "proxy" },
  {
    name: "rsc",
    form: "switch",
    setting: null,
    why: "route short circuit asks the host's neighbour table for each packet, which a process outside the kernel cannot",
  },
  { name: "l2miss", form: "switch", setting: "l2miss" },
  { name: "l3miss", form: "switch", setting: "l3miss" },
  { name: "udpcsum", form: "switch", setting: "udpChecksum", convert: computed },
  {
    name: "udp6zerocsumtx",
    form: "switch",
    setting: "udpChecksum",
    convert: (raw) => (isYes(raw) ? "zero" : "computed"),
  },
  { name: "udp6zerocsumrx", form: "switch", setting: "udp6zerocsumrx" },
  { name: "ageing", form: "value", setting: "ageing" },
  { name: "maxaddress", form: "value", setting: "maxaddress" },
  {
    name: "localbypass",
    form: "switch",
    setting: null,
    why: "it hands a packet for this host to its other VXLAN device of the same VNI and port; an agent has one for a VNI, and refuses its own address as a VTEP",
  },
  {
    name: "external",
    form: "switch",
    setting: null,
    why: "metadata per packet comes from routes and tc in the kernel; a TAP carries none",
  },
  {
    name: "vnifilter",
    form: "switch",
    setting: null,
    why: "it says which VNIs an `external` device takes; here that is the list of overlays, and others are dropped as VXLAN_VNI_NOT_FOUND",
  },
  {
    name: "gbp",
    form: "switch",
    setting: "gbp",
    convert: (raw) => (isYes(raw) ? "on" : raw === false || raw === "false" ? "off" : raw),
    why: "the group that is sent is one for the VNI (`gbp: 100`): a TAP carries no mark of a packet's own",
  },
  {
    name: "gpe",
    form: "switch",
    setting: null,
    why: "it carries packets without Ethernet, and a TAP takes nothing else",
  },
  {
    name: "mcroute",
    form: "switch",
    setting: null,
    why: "it is about multicast routing daemons in the kernel's own receive path",
  },
];

/** @returns the option of a name, with or without `no`, and whether it is switched off by it */
export function kernelOption(word: string): { option: KernelOption; off: boolean } | undefined {
  const option = KERNEL_OPTIONS.find(({ name }) => name === word);
  if (option !== undefined) return { option, off: false };
  const negated = word.startsWith("no")
    ? KERNEL_OPTIONS.find(({ name, form }) => form === "switch" && name === word.slice(2))
    : undefined;
  return negated && { option: negated, off: true };
}

/** The names of a setting in iproute2's words, where they are others than ours. */
export function otherNames(setting: SettingName): string[] {
  return KERNEL_OPTIONS.filter((one) => one.setting === setting && one.name !== setting).map(
    ({ name }) => name,
  );
}
