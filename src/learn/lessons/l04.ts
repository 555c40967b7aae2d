/** L4: a reserved bit set. */
import { asciiDiagram } from "../../teach/ascii-diagram.ts";
import { tableFields } from "../../teach/diagram.ts";
import { VXLAN } from "../../wire/index.ts";
import { type Arrived, bytesExercises, valueIn, whatHappened } from "../exercises/bytes.ts";
import { MAC_A, NODE_B, pingWithHeader } from "../exercises/ping.ts";
import type { Lesson, Seen } from "../lesson.ts";

function look(arrived: Arrived): Seen {
  const { linux, poplin } = arrived;
  const done = poplin.in && !linux.in;
  return { done, says: done ? whatHappened(arrived) : `${whatHappened(arrived)} ${hint(arrived)}` };
}

function hint(arrived: Arrived): string {
  if (valueIn(arrived, "vxlan.i") === 0) return "Without I the VNI is not valid: leave 08 as it is.";
  if (valueIn(arrived, "vxlan.vni") !== NODE_B.vni)
    return "That bit is the VNI's, bytes 4 to 6: none of the reserved ones.";
  return "Both let it in: no reserved bit is set. They are in bytes 0 to 3, but for I, and in byte 7.";
}

export const L04: Lesson = {
  number: 4,
  title: "a reserved bit set: the RFC ignores it, Linux drops it",
  story: [
    "Reserved bits are for what nobody has thought of yet. RFC 7348 says: send 0, ignore on receipt. So a new sender may use one, " +
      "and old receivers go on. Linux does not go by that: its VXLAN drops what has a bit set that it does not know, and a comment " +
      "in its source says that it diverges there, so that a new meaning is never taken for the old one.",
  ],
  bytes: () => asciiDiagram(tableFields(VXLAN)),
  ...bytesExercises({
    file: "header.hex",
    text: "# The VXLAN header of a ping, as node-a sends it\n08 00 00 00 00 00 01 00\n",
    todo: ["Change one bit of header.hex so that poplin lets the ping in and Linux drops it."],
    receiver: NODE_B,
    peerMac: MAC_A,
    packet: pingWithHeader,
    look,
    wrong: {
      typed: [{ where: "here", shell: "echo 08 00 00 00 01 00 01 00 > header.hex" }],
      says: /VXLAN_VNI_NOT_FOUND.* That bit is the VNI's/,
    },
    solution: [{ where: "here", shell: "echo 08 00 00 00 00 00 01 01 > header.hex" }],
  }),
  moral:
    "The kernel counts it in rx_errors of its device (`ip -s link`). `reservedBits: linux` makes poplin as strict; `rfc` is what the " +
    "standard says.",
};
