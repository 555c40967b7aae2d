/** L14: encode and decode, by oneself. */
import { asciiDiagram } from "../../teach/ascii-diagram.ts";
import { tableFields } from "../../teach/diagram.ts";
import { VXLAN } from "../../wire/index.ts";
import { CarryStage, CodecStage, FILE } from "../exercises/codec.ts";
import type { Lesson } from "../lesson.ts";

const EMPTY = `/**
 * What a VXLAN socket sends: the eight bytes of the header, and the frame.
 * @param {number} vni 0 to 16777215
 * @param {Uint8Array} frame from its destination MAC on
 * @returns {Uint8Array}
 */
export function encode(vni, frame) {
}

/**
 * What is in a datagram that a VXLAN socket has received.
 * @param {Uint8Array} datagram of any length
 * @returns {{ vni: number, frame: Uint8Array } | null} null for what has to be dropped: too short, or without the I flag
 */
export function decode(datagram) {
}
`;

/** A module whose functions have these bodies. */
function typed(encode: string, decode: string): string {
  return `cat > ${FILE} <<'END'
export function encode(vni, frame) {
  ${encode}
}
export function decode(datagram) {
  ${decode}
}
END`;
}

const DECODE =
  "if (datagram.length < 8 || (datagram[0] & 8) === 0) return null;\n" +
  "  const vni = (datagram[4] << 16) | (datagram[5] << 8) | datagram[6];\n" +
  "  return { vni, frame: datagram.subarray(8) };";
const TASK = {
  files: { [FILE]: EMPTY },
  wrong: {
    typed: [
      {
        where: "here",
        shell: typed(
          "return Uint8Array.from([8, 0, 0, 0, vni >> 24, vni >> 16, vni >> 8, vni, ...frame]);",
          DECODE,
        ),
      },
    ],
    says: /byte 6 is 00 and should be 01, in the header: VNI/,
  },
  solution: [
    {
      where: "here",
      shell: typed("return Uint8Array.from([8, 0, 0, 0, vni >> 16, vni >> 8, vni, 0, ...frame]);", DECODE),
    },
  ],
};
const TODO = `Write encode and decode in ${FILE}. They are called with what the header's tables say it may be, whenever you save it.`;

export const L14: Lesson = {
  number: 14,
  title: "write encode and decode yourself, until the vectors and a ping pass",
  story: [
    "Eight bytes and a frame: that is all of it. poplin's own code for it is `src/wire/vxlan.ts`, and as long as that file is it has to be " +
      "fast. Yours has to be right.",
  ],
  bytes: () => asciiDiagram(tableFields(VXLAN)),
  plain: {
    ...TASK,
    todo: [TODO],
    stage: async (folder) => new CodecStage(folder),
    check: (stage) => (stage as CodecStage).look(),
  },
  real: {
    ...TASK,
    todo: [TODO, "When all are right, two hosts carry a ping with it."],
    stage: (folder) => CarryStage.start(folder),
    check: (stage: CarryStage) => stage.look(),
  },
  moral:
    "What you have written is a VXLAN endpoint; the rest of poplin makes it fast, and keeps the table of who is where.",
};
