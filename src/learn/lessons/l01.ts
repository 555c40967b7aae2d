/** L1: the VNI is three bytes, the most significant first, and shifted by eight. */

import { asciiDiagram } from "../../teach/ascii-diagram.ts";
import { tableFields } from "../../teach/diagram.ts";
import { EXAMPLES } from "../../teach/examples.ts";
import { explain } from "../../teach/explanation.ts";
import { readHexText } from "../../teach/hex-text.ts";
import { judge, receiverOf } from "../../teach/judge/judge.ts";
import { hasVni, hex, readVni, VXLAN, VXLAN_LENGTH } from "../../wire/index.ts";
import type { Lesson, Seen } from "../lesson.ts";
import { FolderStage } from "../stages.ts";

const WANTED = 4711; // 0x001267
const FRAME = EXAMPLES.ping.bytes.subarray(50);

/** What becomes of the learner's header in front of a frame, at a dataplane that has this VNI. */
function seen(text: string): Seen {
  const reading = readHexText(text);
  if (!reading.ok) return { done: false, says: `header.hex: ${reading.problem}.` };
  const { bytes } = reading;
  if (bytes.length !== VXLAN_LENGTH) {
    return { done: false, says: `A VXLAN header has ${VXLAN_LENGTH} bytes; header.hex has ${bytes.length}.` };
  }
  const packet = Uint8Array.from([...bytes, ...FRAME]);
  const explanation = explain(packet, { layer: "udp-payload" });
  const { fate, reason } = judge(explanation, {
    ...receiverOf(explanation),
    vni: WANTED,
    mac: "02:00:00:00:00:99",
  }).poplin;
  if (fate === "in")
    return { done: true, says: `poplin's decap let it in: ${hex(bytes, 0, 8, " ")} is VNI ${WANTED}.` };
  return { done: false, says: `poplin's decap: ${reason}. ${hint(bytes)}` };
}

function hint(bytes: Uint8Array): string {
  if (!hasVni(bytes, 0)) return "The first byte has the flags; without I (0x08) no VNI is valid.";
  const vni = readVni(bytes, 0);
  const mistakes: Readonly<Record<number, string>> = {
    6754816: `You have written VNI ${0x671200}: the most significant byte comes first, 00 12 67.`,
    18: "The VNI is the first three of the last four bytes, not the last three: after it is a reserved byte.",
    18193: `0x4711 is ${0x4711}; ${WANTED} is 0x1267.`,
  };
  return (
    mistakes[vni] ?? `You have written VNI ${vni}. printf %x ${WANTED} says what ${WANTED} is in hexadecimal.`
  );
}

export const L01: Lesson = {
  number: 1,
  title: "the VNI: three bytes, the first the most significant, shifted by eight",
  story: [
    "Many overlays share one network. Which of them a frame belongs to is a number of 24 bits in the tunnel's header: the VXLAN " +
      "network identifier. Counted from 0 it stands in bytes 4, 5 and 6 of eight; byte 7 is reserved. So as a 32-bit number the second word is " +
      "the VNI shifted left by eight: who forgets that is in another network.",
    "Byte 0 has the flags. One of them is always set: I, of value 8, which says that the VNI is valid. All the rest is 0.",
  ],
  bytes: () => asciiDiagram(tableFields(VXLAN)),
  plain: {
    stage: async (folder) => new FolderStage(folder),
    files: { "header.hex": "# Eight bytes in hexadecimal: the header of a frame of VNI 4711\n" },
    todo: [
      "Write the header of a frame of VNI 4711 into header.hex, eight bytes in hexadecimal. It is put in front of a frame and given to " +
        "poplin's own decap, which takes headers off; it has that VNI and no other.",
    ],
    check: async (stage) => seen((stage as FolderStage).read("header.hex")),
    wrong: {
      typed: [{ where: "here", shell: "echo 08 00 00 00 00 00 12 67 > header.hex" }],
      says: /VXLAN_VNI_NOT_FOUND\. The VNI is the first three of the last four bytes/,
    },
    solution: [{ where: "here", shell: "echo 08 00 00 00 00 12 67 00 > header.hex" }],
  },
  real: null,
  moral: "VNI 4711 is 00 12 67 in bytes 4 to 6; byte 7 stays 0.",
};
