/** Values as people write them. */
import { formatIpv4, formatIpv6, formatMac, fromHex, putMac, putU32 } from "./bytes.ts";
import type { Field, FieldValue } from "./field.ts";
import { etherTypeName, protocolName } from "./numbers.ts";

/** @returns a value as `decode` gives it, in the notation of its field: "02:42:ac:13:00:03", "0x0800 IPv4", "84 bytes". */
export function formatValue(field: Field, value: FieldValue): string {
  if (typeof value === "string") {
    if (field.format === "ipv6" && value.length === 32) return formatIpv6(fromHex(value), 0);
    return value === "" ? "none" : plural(value.length / 2, "byte");
  }
  switch (field.format) {
    case "flag":
      return value === 1 ? "set" : "clear";
    case "mac":
      return macText(value);
    case "ipv4":
      return ipv4Text(value);
    case "hex":
    case "checksum":
      return hexText(field, value);
    case "etherType":
      return withName(hexText(field, value), etherTypeName(value));
    case "protocol":
      return withName(String(value), protocolName(value));
    default:
      return decimalText(field, value);
  }
}

function decimalText(field: Field, value: number): string {
  const name = field.names?.[value];
  if (name !== undefined) return `${value} ${name}`;
  if (field.scale !== undefined)
    return `${value} (${value * field.scale} ${field.unit ?? ""})`.replace(" )", ")");
  return field.unit === undefined
    ? String(value)
    : `${value} ${value === 1 ? singular(field.unit) : field.unit}`;
}

function hexText(field: Field, value: number): string {
  return `0x${value.toString(16).padStart(Math.ceil((field.width as number) / 4), "0")}`;
}

function macText(value: number): string {
  const bytes = new Uint8Array(6);
  putMac(bytes, 0, Math.floor(value / 2 ** 32), value % 2 ** 32);
  return formatMac(bytes, 0);
}

function ipv4Text(value: number): string {
  const bytes = new Uint8Array(4);
  putU32(bytes, 0, value);
  return formatIpv4(bytes, 0);
}

function withName(text: string, name: string | undefined): string {
  return name === undefined ? text : `${text} ${name}`;
}

function plural(count: number, unit: string): string {
  return count === 1 ? `1 ${unit}` : `${count} ${unit}s`;
}

function singular(unit: string): string {
  return unit.endsWith("s") && unit !== "ms" ? unit.slice(0, -1) : unit;
}
