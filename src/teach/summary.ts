/** A packet in one line, as tcpdump would put it, tunnel and all. */
import {
  decodePacket,
  type HeaderPart,
  isHeader,
  type Packet,
  type PacketOptions,
  type Part,
  protocolName,
} from "../wire/index.ts";
import { describeLayer4, fieldText } from "./summary-layer4.ts";

/**
 * "172.19.0.2:50300 > 172.19.0.3:8472 VXLAN vni 1 | 10.244.1.2 > 10.244.2.5 ICMP echo request id 1 seq 1, 98 bytes".
 * The length is that of the innermost frame. What is wrong with the packet, if anything, follows in brackets.
 * Never throws, whatever the bytes are.
 */
export function summarize(bytes: Uint8Array, options: PacketOptions = {}): string {
  const packet = decodePacket(bytes, options);
  const levels: Part[][] = [];
  for (const part of packet.parts) {
    levels[part.level] ??= [];
    levels[part.level]!.push(part);
  }
  const size = (levels.at(-1) ?? []).reduce((length, part) => length + part.length, 0);
  const words = [levels.map(describeLevel).join(" | "), size === 1 ? "1 byte" : `${size} bytes`];
  const line = words.filter((word) => word !== "").join(", ");
  return line + brackets(packet);
}

function brackets(packet: Packet): string {
  const malformed = packet.notes.find((note) => note.kind === "malformed");
  return `${packet.truncated ? " [truncated]" : ""}${malformed ? ` [malformed: ${malformed.text}]` : ""}`;
}

/** What lies between two tunnel headers, and the tunnel header. */
function describeLevel(parts: readonly Part[]): string {
  const quote = parts.filter((part) => part.quoted);
  const words = describe(parts.filter((part) => !part.quoted));
  if (quote.length > 0) words.push(`(about ${describe(quote).join(" ")})`);
  return words.join(" ");
}

function describe(parts: readonly Part[]): string[] {
  const headers = parts.filter(isHeader);
  const find = (name: string) => headers.find((part) => part.table.name === name && !part.truncated);
  const words = headers
    .filter((part) => part.table.name === "vlan" && !part.truncated)
    .map((part) => `vlan ${part.values.vlanId}`);
  const arp = find("arp");
  const ip = find("ipv4") ?? find("ipv6");
  const ethernet = find("ethernet");
  if (arp) words.push(...describeArp(arp));
  else if (ip) words.push(...describeIp(ip, headers, parts));
  else {
    if (ethernet) words.push(`${fieldText(ethernet, "source")} > ${fieldText(ethernet, "destination")}`);
    words.push(remainder(parts));
  }
  words.push(...headers.filter((part) => part.table.name.startsWith("vxlan")).flatMap(describeVxlan));
  return words.filter((word) => word !== "");
}

function describeArp(arp: HeaderPart): string[] {
  const sender = fieldText(arp, "senderIp");
  if (arp.values.operation === 1) return ["ARP who has", `${fieldText(arp, "targetIp")}?`, "tell", sender];
  if (arp.values.operation === 2) return ["ARP", sender, "is at", fieldText(arp, "senderMac")];
  return ["ARP operation", fieldText(arp, "operation"), "from", sender];
}

function describeIp(ip: HeaderPart, headers: readonly HeaderPart[], parts: readonly Part[]): string[] {
  const l4 = describeLayer4(headers);
  const v6 = ip.table.name === "ipv6";
  const end = (address: string, port: string | undefined) => {
    if (port === undefined) return address;
    return v6 ? `[${address}]:${port}` : `${address}:${port}`;
  };
  const source = end(fieldText(ip, "source"), l4?.sourcePort);
  const destination = end(fieldText(ip, "destination"), l4?.destinationPort);
  const place = fragmentPlace(headers);
  const what = l4?.text ?? (place === "" ? remainder(parts) : (protocolName(lastProtocol(headers)) ?? ""));
  return [`${source} > ${destination}`, what, place];
}

/** Where in the whole packet a fragment belongs, "" when it is none. */
function fragmentPlace(headers: readonly HeaderPart[]): string {
  const part = headers.find((header) => header.values.moreFragments !== undefined);
  if (!part || (part.values.moreFragments === 0 && part.values.fragmentOffset === 0)) return "";
  const more = part.values.moreFragments === 1 ? "more follow" : "the last";
  return `fragment at ${Number(part.values.fragmentOffset) * 8}, ${more}`;
}

function lastProtocol(headers: readonly HeaderPart[]): number {
  const last = headers.findLast(({ values }) => (values.protocol ?? values.nextHeader) !== undefined);
  return Number(last?.values.protocol ?? last?.values.nextHeader);
}

function describeVxlan(vxlan: HeaderPart): string[] {
  if (vxlan.truncated) return ["VXLAN"];
  const group = vxlan.table.name === "vxlan-gbp" ? [`group ${vxlan.values.group}`] : [];
  return [`VXLAN vni ${vxlan.values.vni}`, ...group];
}

/** What the headers above do not describe: the kind of payload, or the header that is cut off. */
function remainder(parts: readonly Part[]): string {
  const cut = parts.find((part) => isHeader(part) && part.truncated);
  if (cut && isHeader(cut)) return cut.table.title;
  const span = parts.find((part) => !isHeader(part) && part.kind !== "padding");
  return span && !isHeader(span) ? span.what : "";
}
