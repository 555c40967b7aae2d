/** A second opinion on the tables: what tshark reads from the same packets. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { FieldValue } from "../../src/wire/field.ts";
import { formatValue } from "../../src/wire/format.ts";
import { decodePacket } from "../../src/wire/packet.ts";
import { isHeader } from "../../src/wire/walk.ts";
import { describeWith, tool } from "../helpers/needs.ts";
import { VECTORS } from "../teach/packets.ts";
import { concat } from "./frames.ts";

/** tshark's name for a field, and ours: table (or several) and field. */
const FIELDS: Record<string, [tables: RegExp, field: string]> = {
  "eth.dst": [/^ethernet$/, "destination"],
  "eth.src": [/^ethernet$/, "source"],
  "vlan.priority": [/^vlan$/, "priority"],
  "vlan.id": [/^vlan$/, "vlanId"],
  "arp.opcode": [/^arp$/, "operation"],
  "arp.src.hw_mac": [/^arp$/, "senderMac"],
  "arp.src.proto_ipv4": [/^arp$/, "senderIp"],
  "arp.dst.proto_ipv4": [/^arp$/, "targetIp"],
  "ip.dsfield.dscp": [/^ipv4$/, "dscp"],
  "ip.dsfield.ecn": [/^ipv4$/, "ecn"],
  "ip.len": [/^ipv4$/, "totalLength"],
  "ip.id": [/^ipv4$/, "identification"],
  "ip.flags.df": [/^ipv4$/, "dontFragment"],
  "ip.flags.mf": [/^ipv4$/, "moreFragments"],
  "ip.ttl": [/^ipv4$/, "ttl"],
  "ip.proto": [/^ipv4$/, "protocol"],
  "ip.checksum": [/^ipv4$/, "headerChecksum"],
  "ip.src": [/^ipv4$/, "source"],
  "ip.dst": [/^ipv4$/, "destination"],
  "ipv6.flow": [/^ipv6$/, "flowLabel"],
  "ipv6.plen": [/^ipv6$/, "payloadLength"],
  "ipv6.nxt": [/^ipv6$/, "nextHeader"],
  "ipv6.hlim": [/^ipv6$/, "hopLimit"],
  "ipv6.src": [/^ipv6$/, "source"],
  "ipv6.dst": [/^ipv6$/, "destination"],
  "ipv6.routing.type": [/^ipv6-routing$/, "routingType"],
  "ipv6.fraghdr.more": [/^ipv6-fragment$/, "moreFragments"],
  "ipv6.fraghdr.ident": [/^ipv6-fragment$/, "identification"],
  "udp.srcport": [/^udp$/, "sourcePort"],
  "udp.dstport": [/^udp$/, "destinationPort"],
  "udp.length": [/^udp$/, "length"],
  "udp.checksum": [/^udp$/, "checksum"],
  "tcp.srcport": [/^tcp$/, "sourcePort"],
  "tcp.seq_raw": [/^tcp$/, "sequence"],
  "tcp.ack_raw": [/^tcp$/, "acknowledgment"],
  "tcp.flags.syn": [/^tcp$/, "syn"],
  "tcp.flags.push": [/^tcp$/, "psh"],
  "tcp.flags.ack": [/^tcp$/, "ack"],
  "tcp.window_size_value": [/^tcp$/, "window"],
  "tcp.checksum": [/^tcp$/, "checksum"],
  "tcp.options.mss_val": [/^tcp-mss$/, "mss"],
  "tcp.options.wscale.shift": [/^tcp-window-scale$/, "shift"],
  "tcp.options.timestamp.tsval": [/^tcp-timestamps$/, "value"],
  "tcp.options.timestamp.tsecr": [/^tcp-timestamps$/, "echo"],
  "icmp.type": [/^icmp(-|$)/, "type"],
  "icmp.code": [/^icmp(-|$)/, "code"],
  "icmp.mtu": [/^icmp-unreachable$/, "nextHopMtu"],
  "icmp.seq": [/^icmp-echo$/, "sequence"],
  "icmpv6.type": [/^(icmpv6|nd-(router|neighbour)-)/, "type"],
  "icmpv6.checksum": [/^(icmpv6|nd-(router|neighbour)-)/, "checksum"],
  "icmpv6.mtu": [/^icmpv6-packet-too-big$/, "mtu"],
  "icmpv6.nd.ns.target_address": [/^nd-neighbour-solicitation$/, "target"],
  "icmpv6.nd.na.target_address": [/^nd-neighbour-advertisement$/, "target"],
  "icmpv6.nd.na.flag.s": [/^nd-neighbour-advertisement$/, "solicited"],
  "icmpv6.nd.na.flag.o": [/^nd-neighbour-advertisement$/, "override"],
  "icmpv6.nd.ra.router_lifetime": [/^nd-router-advertisement$/, "lifetime"],
  "icmpv6.nd.ra.flag.prf": [/^nd-router-advertisement$/, "preference"],
  "icmpv6.opt.prefix.length": [/^nd-prefix$/, "prefixLength"],
  "icmpv6.opt.prefix.valid_lifetime": [/^nd-prefix$/, "validLifetime"],
  "icmpv6.opt.mtu": [/^nd-mtu$/, "mtu"],
  "vxlan.vni": [/^vxlan/, "vni"],
  "vxlan.gbp": [/^vxlan-gbp$/, "group"],
  "vxlan.flag_i": [/^vxlan/, "i"],
  "vxlan.flag_d": [/^vxlan-gbp$/, "d"],
};

/** tshark shows these for a header without the group policy bit too. */
const READ_WITHOUT_G = new Set(["vxlan.gbp", "vxlan.flag_d"]);

/** The outer of two tags has fields of its own in tshark (ieee8021ad). */
const TWO_TAGS = "two VLAN tags";

/** A classic pcap file of Ethernet frames. */
function pcap(frames: readonly Uint8Array[]): Uint8Array {
  const words = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);
  const head = words(0xa1b2c3d4, 0x0004_0002, 0, 0, 262_144, 1);
  return concat(head, ...frames.flatMap((frame, i) => [words(i, 0, frame.length, frame.length), frame]));
}

function tshark(frames: readonly Uint8Array[], names: readonly string[]): string[][] {
  const folder = mkdtempSync(join(tmpdir(), "poplin-tshark-"));
  try {
    const file = join(folder, "samples.pcap");
    writeFileSync(file, pcap(frames));
    const args = ["-n", "-r", file, "-d", "udp.port==8472,vxlan", "-o", "ip.defragment:FALSE"];
    const checks = ["ip.check_checksum", "udp.check_checksum", "tcp.check_checksum"];
    args.push("-o", "ipv6.defragment:FALSE", ...checks.flatMap((name) => ["-o", `${name}:TRUE`]));
    args.push("-T", "fields", "-E", "separator=|", "-E", "occurrence=a", ...names.flatMap((n) => ["-e", n]));
    const text = execFileSync("tshark", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return text
      .split("\n")
      .slice(0, frames.length)
      .map((line) => line.split("|"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** One notation for both: numbers as numbers, flags as 0 and 1, addresses as text. */
function plain(text: string): string {
  if (/^(true|false)$/i.test(text)) return text.toLowerCase() === "true" ? "1" : "0";
  return /^(0x[0-9a-f]+|\d+)$/i.test(text) ? String(Number(text)) : text;
}

describeWith([tool("tshark")], "tshark", () => {
  it("reads the same values from every sample and every example", () => {
    const names = Object.keys(FIELDS);
    const theirs = tshark(Object.values(VECTORS), names);
    const compared = new Set<string>();
    Object.entries(VECTORS).forEach(([sample, frame], row) => {
      const parts = decodePacket(frame).parts.filter(isHeader);
      names.forEach((name, column) => {
        const [tables, key] = FIELDS[name]!;
        const ours = parts.flatMap((part) => {
          const field = tables.test(part.table.name) && part.table.fields.find((one) => one.name === key);
          if (!field) return [];
          const value: FieldValue = part.values[key]!;
          return [/^(mac|ipv[46])$/.test(field.format) ? formatValue(field, value) : String(value)];
        });
        if (ours.length === 0 && READ_WITHOUT_G.has(name)) return;
        if (sample === TWO_TAGS && name.startsWith("vlan.")) return;
        const said = (theirs[row]![column] ?? "").split(",").filter((one) => one !== "");
        expect(said.map(plain), `${sample}: ${name}`).toEqual(ours);
        if (ours.length > 0) compared.add(name);
      });
    });
    expect(names.filter((name) => !compared.has(name))).toEqual([]);
  });

  it("finds nothing malformed and no bad checksum in them, but does in a planted one", () => {
    const planted = VECTORS["TCP SYN"]!.slice();
    planted[50]! ^= 1; // TCP checksum
    const named = Object.entries({ ...VECTORS, planted });
    const rows = tshark(
      named.map(([, frame]) => frame),
      ["_ws.malformed", "_ws.expert.message"],
    );
    const complaints = named.flatMap(([name], i) =>
      rows[i]!.some((text) => /malformed|bad checksum|bogus/i.test(text)) ? [name] : [],
    );
    expect(complaints).toEqual(["planted"]);
  });
});
