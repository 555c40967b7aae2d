/**
 * An explained packet as pcapng, both sides of the encapsulation: what is on the underlay as one interface, the inner frame
 * as it is on the TAP as another, each with its layers, and what becomes of it, as a comment.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { LINKTYPE_ETHERNET, LINKTYPE_RAW, nowNanoseconds, PcapngWriter } from "../io/pcapng.ts";
import { type Explanation, extended } from "../teach/explanation.ts";
import { JUDGES, type Judgements } from "../teach/judge/judge.ts";
import { FATE_WORDS } from "../teach/verdict-text.ts";
import { type LayerName, u16 } from "../wire/index.ts";
import { CliError, EXIT } from "./errors.ts";

/** What Wireshark must be told: it knows VXLAN at 4789, and Linux and flannel use 8472. */
export function wiresharkCommand(file: string, port: number): string {
  return `wireshark -d udp.port==${port},vxlan ${file}`;
}

/** @throws CliError when it cannot be written */
export function writePcapng(
  file: string,
  explanation: Explanation,
  layer: LayerName,
  verdicts: Judgements,
): void {
  let fd: number;
  try {
    fd = openSync(file, "w");
  } catch (error) {
    throw new CliError(EXIT.failed, `${file} cannot be written: ${(error as Error).message}`);
  }
  try {
    const writer = new PcapngWriter((chunk) => void writeSync(fd, chunk));
    writePackets(writer, explanation, layer, verdicts);
  } finally {
    closeSync(fd);
  }
}

function writePackets(
  writer: PcapngWriter,
  explanation: Explanation,
  layer: LayerName,
  verdicts: Judgements,
): void {
  const { bytes, parts } = explanation;
  const time = nowNanoseconds();
  const inner = parts.find(({ name, level }) => name === "ethernet" && level === 1);
  if (layer !== "udp-payload") {
    const linkType = layer === "ethernet" ? LINKTYPE_ETHERNET : LINKTYPE_RAW;
    const name = inner === undefined ? "packet" : "underlay";
    const number = writer.addInterface({ name, linkType, description: "outer headers and all" });
    writer.packet(number, time, bytes, { comment: `${layers(explanation, 0)}\n${verdictWords(verdicts)}` });
  }
  if (inner === undefined) return;
  const overlay = {
    name: "overlay",
    linkType: LINKTYPE_ETHERNET,
    description: "the inner frame, as on the TAP",
  };
  const number = writer.addInterface(overlay);
  writer.packet(number, time, bytes.subarray(inner.at, innerEnd(explanation)), {
    comment: layers(explanation, 1),
  });
}

/** Where the datagram ends that carries the frame: what may lie behind it is the outer frame's. */
function innerEnd({ parts, bytes }: Explanation): number {
  const udp = parts.find(({ name, level }) => name === "udp" && level === 0);
  return udp === undefined ? bytes.length : Math.min(bytes.length, udp.at + u16(bytes, udp.at + 4));
}

/** A line for each header: "outer IPv4, 20 bytes: source 172.19.0.2, destination 172.19.0.3". */
function layers(explanation: Explanation, level: number): string {
  return explanation.parts
    .filter((part) => part.level >= level && part.kind !== "option")
    .map((part) => {
      const fields = part.fields
        .filter(({ name }) => TOLD.has(name))
        .map(({ title, text }) => `${title} ${text}`);
      const length = extended(explanation, part);
      return `${part.title}, ${length} bytes${fields.length === 0 ? "" : `: ${fields.join(", ")}`}`;
    })
    .join("\n");
}

/** Fields that tell packets apart. */
const TOLD: ReadonlySet<string> = new Set(
  "source destination etherType protocol nextHeader ttl hopLimit sourcePort destinationPort i vni group type code".split(
    " ",
  ),
);

function verdictWords(verdicts: Judgements): string {
  return JUDGES.map((judge) => {
    const { fate, reason } = verdicts[judge];
    return `${judge}: ${FATE_WORDS[fate]}${reason === null ? "" : `, ${reason}`}`;
  }).join("\n");
}
