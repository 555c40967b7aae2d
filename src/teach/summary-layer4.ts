/** The part of a summary that is about UDP, TCP, ICMP and ICMPv6. */
import { formatValue, type HeaderPart } from "../wire/index.ts";

export interface Layer4 {
  readonly sourcePort?: string;
  readonly destinationPort?: string;
  readonly text: string;
}

/** @param headers those of one IP packet; undefined when no layer 4 header is complete */
export function describeLayer4(headers: readonly HeaderPart[]): Layer4 | undefined {
  const at = headers.findIndex(
    (part) => part.kind === "header" && /^(udp$|tcp$|icmp|nd-)/.test(part.table.name),
  );
  const part = headers[at];
  if (!part || part.truncated) return undefined;
  const options = headers.slice(at + 1).filter((header) => header.kind === "option");
  const { name } = part.table;
  if (name === "udp") return { ...ports(part), text: udpText(headers) };
  if (name === "tcp") return { ...ports(part), text: tcpText(part, options) };
  if (name.startsWith("nd-")) return { text: `ICMPv6 ${ndText(part, options)}` };
  return { text: icmpText(part) };
}

function ports(part: HeaderPart): Pick<Layer4, "sourcePort" | "destinationPort"> {
  return { sourcePort: String(part.values.sourcePort), destinationPort: String(part.values.destinationPort) };
}

/** In front of a VXLAN header the word UDP says nothing new. */
function udpText(headers: readonly HeaderPart[]): string {
  return headers.some((part) => part.table.name.startsWith("vxlan")) ? "" : "UDP";
}

const FLAGS = ["syn", "fin", "rst", "psh", "ack", "urg", "ece", "cwr"] as const;

function tcpText(part: HeaderPart, options: readonly HeaderPart[]): string {
  const { values } = part;
  const flags = FLAGS.filter((flag) => values[flag] === 1).map((flag) => flag.toUpperCase());
  const words = ["TCP", `[${flags.join(" ")}]`, `seq ${values.sequence}`];
  if (values.ack === 1) words.push(`ack ${values.acknowledgment}`);
  words.push(`win ${values.window}`);
  const mss = options.find((option) => option.table.name === "tcp-mss");
  if (mss) words.push(`mss ${mss.values.mss}`);
  return words.join(" ");
}

function icmpText(part: HeaderPart): string {
  const { values, table } = part;
  const words = [table.name.startsWith("icmpv6") ? "ICMPv6" : "ICMP", named(part, "type")];
  if (named(part, "code") !== "") words.push(named(part, "code"));
  if (values.identifier !== undefined) words.push(`id ${values.identifier} seq ${values.sequence}`);
  if (Number(values.nextHopMtu ?? 0) > 0) words.push(`mtu ${values.nextHopMtu}`);
  if (values.mtu !== undefined) words.push(`mtu ${values.mtu}`);
  return words.join(" ");
}

/** What a value stands for; "type 9" when that is not known, nothing for a code without names. */
function named(part: HeaderPart, name: "type" | "code"): string {
  const value = Number(part.values[name]);
  const field = part.table.fields.find((one) => one.name === name);
  return field?.names?.[value] ?? (name === "type" || value > 0 ? `${name} ${value}` : "");
}

function ndText(part: HeaderPart, options: readonly HeaderPart[]): string {
  const message = part.table.title.replace("ND ", "");
  const target = fieldText(part, "target");
  if (part.table.name === "nd-neighbour-solicitation") return `${message}, who has ${target}`;
  if (part.table.name === "nd-neighbour-advertisement") {
    const link = options.find((option) => option.table.name === "nd-target-link-address");
    return `${message}, ${target} is ${link ? `at ${fieldText(link, "mac")}` : "here"}`;
  }
  return message;
}

/** A field's value as people write it, "?" when it is not there. */
export function fieldText(part: HeaderPart, name: string): string {
  const found = part.fields.find(({ field }) => field.name === name);
  return found ? formatValue(found.field, found.value) : "?";
}
