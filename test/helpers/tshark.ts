/** What tshark says of a capture. It verifies no IP, UDP or TCP checksum unless told to, and knows no VXLAN at 8472. */
import { execFileSync } from "node:child_process";

const OPTIONS = [
  "-n",
  ...["ip", "udp", "tcp"].flatMap((protocol) => ["-o", `${protocol}.check_checksum:TRUE`]),
  // A stream's later segments would be judged by what the earlier ones held.
  ...["-o", "tcp.desegment_tcp_streams:FALSE", "-o", "tcp.analyze_sequence_numbers:FALSE"],
  ...["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"],
  ...["-d", "udp.port==8472,vxlan"],
];

/** How tshark writes the status of a checksum. */
export const BAD = "0";
export const GOOD = "1";
export const NOT_PRESENT = "3";

const MALFORMED = ["_ws.malformed", "_ws.short", '_ws.expert.group == "Malformed"'];
const CHECKSUM = '_ws.expert.group == "Checksum"';
const bad = (protocol: string): string => `${protocol}.checksum.status == "Bad"`;

/** Finds packets with a bad checksum at any depth, and those that a dissector calls malformed or too short. */
export const WRONG = [...MALFORMED, CHECKSUM, ...["ip", "udp", "tcp", "icmp", "icmpv6"].map(bad)].join(
  " or ",
);

/** Field of a packet whose TCP checksum is 0xffff where 0 is right: the same in ones' complement, and Bad for tshark. */
export const NEGATIVE_ZERO = "tcp.checksum.ffff";

/**
 * As `WRONG`, but for negative zeros, and for nothing else that is wrong with such a packet: for checksums that Linux has
 * finished (`skb_checksum_help`), of which one in 65,536 is that.
 */
export const WRONG_BUT_NEGATIVE_ZERO = [
  ...MALFORMED,
  ...[CHECKSUM, bad("tcp")].map((found) => `(${found} and not ${NEGATIVE_ZERO})`),
  ...["ip", "udp", "icmp", "icmpv6"].map(bad),
].join(" or ");

/** A packet: for each field that was asked for its values, from the outermost header to the innermost. */
export type Row = Readonly<Record<string, readonly string[]>>;

/**
 * Reads a capture.
 * @param fields names of display filter fields
 * @param filter a display filter; all packets without one
 * @param ports ports whose payload is random bytes, which some dissector may take for something malformed
 */
export function tshark(
  file: string,
  fields: readonly string[],
  filter = "",
  ports: readonly number[] = [],
): Row[] {
  const opaque = ports.flatMap((port) => ["-d", `udp.port==${port},data`, "-d", `tcp.port==${port},data`]);
  const columns = ["-T", "fields", "-E", "separator=/t", "-E", "aggregator= ", "-E", "occurrence=a"];
  const args = [...OPTIONS, ...opaque, ...columns, ...fields.flatMap((field) => ["-e", field])];
  if (filter !== "") args.push("-Y", filter);
  const output = execFileSync("tshark", ["-r", file, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    maxBuffer: 256 << 20,
  });
  return output
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const values = line.split("\t");
      return Object.fromEntries(
        fields.map((field, i) => [field, (values[i] ?? "").split(" ").filter((value) => value !== "")]),
      );
    });
}
