/** L2: the I flag clear. */
import { asciiDiagram } from "../../teach/ascii-diagram.ts";
import { tableFields } from "../../teach/diagram.ts";
import { VXLAN, VXLAN_FLAG_I } from "../../wire/index.ts";
import { type Arrived, bytesExercises, whatHappened } from "../exercises/bytes.ts";
import { MAC_A, NODE_B, pingWithHeader } from "../exercises/ping.ts";
import type { Lesson, Seen } from "../lesson.ts";

function look(arrived: Arrived): Seen {
  const { bytes } = arrived;
  const first = bytes[0]!;
  if ((first & VXLAN_FLAG_I) !== 0) {
    const bits = first.toString(2).padStart(8, "0").replace(/^..../, "$& ");
    return {
      done: false,
      says: `${whatHappened(arrived)} The first byte is ${bits}: I, the bit of value 8, is still set.`,
    };
  }
  if (first !== 0 || bytes.slice(1).join() !== "0,0,0,0,0,1,0") {
    const says = "I is clear, but something else has changed, too: one bit alone shows what it does.";
    return { done: false, says: `${whatHappened(arrived)} ${says}` };
  }
  return { done: !arrived.linux.in && !arrived.poplin.in, says: whatHappened(arrived) };
}

export const L02: Lesson = {
  number: 2,
  title: "the I flag clear: who drops it, and what says so",
  story: [
    "One flag of the VXLAN header is always set: I, the VNI is valid. What comes without it is dropped by the VTEP " +
      "(VXLAN tunnel endpoint: where a node puts the header on, and takes it off), which is the only one that reads this header: cable, switch and IP carry it like any other datagram. So nothing answers, and the sender " +
      "never knows. What there is to see is at the receiver: a counter, or a trace.",
  ],
  bytes: () => asciiDiagram(tableFields(VXLAN)),
  ...bytesExercises({
    file: "header.hex",
    text: "# The VXLAN header of a ping, as node-a sends it\n08 00 00 00 00 00 01 00\n",
    todo: ["header.hex has the header of a ping. Clear the I flag, and nothing else."],
    receiver: NODE_B,
    peerMac: MAC_A,
    packet: pingWithHeader,
    look,
    wrong: {
      typed: [{ where: "here", shell: "echo 0c 00 00 00 00 00 01 00 > header.hex" }],
      says: /The first byte is 0000 1100: I, the bit of value 8, is still set/,
    },
    solution: [{ where: "here", shell: "echo 00 00 00 00 00 00 01 00 > header.hex" }],
  }),
  moral:
    "Both drop it as VXLAN_INVALID_HDR. poplin counts it by that name (`poplin stats`); the kernel at no device, as it has not looked " +
    "for one yet: only its tracepoint of drops (skb:kfree_skb) says so.",
};
