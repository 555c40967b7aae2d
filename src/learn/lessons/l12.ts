/** L12: a VLAN tag inside. */
import { EXAMPLES } from "../../teach/examples.ts";
import { explain } from "../../teach/explanation.ts";
import { hexLines } from "../../teach/hex-lines.ts";
import { hexdump } from "../../teach/hexdump.ts";
import { painter } from "../../teach/paint.ts";
import { type Arrived, bytesExercises, valueIn, whatHappened } from "../exercises/bytes.ts";
import { FRAME_AT, MAC_A, NODE_B, PING_EXPLAINED, tunnelWith } from "../exercises/ping.ts";
import type { Lesson, Seen } from "../lesson.ts";

const VLAN = 100;

function look(arrived: Arrived): Seen {
  const { linux, poplin } = arrived;
  const says = (words: string): Seen => ({ done: false, says: `${whatHappened(arrived)} ${words}` });
  const vlan = valueIn(arrived, "inner.vlan.vlanId");
  if (vlan === undefined) return says(whereTagIs(arrived));
  if (vlan !== VLAN) return says(`The tag says VLAN ${vlan}; ${VLAN} is 0x64.`);
  if (valueIn(arrived, "inner.ipv4.source") === undefined)
    return says(
      "There is a tag, but no IPv4 after it: the tag ends with the EtherType of what it is put before, 08 00.",
    );
  if (!linux.in || !poplin.in) return says("The frame has to stay as it was, but for the tag.");
  return { done: true, says: `${whatHappened(arrived)} RFC 7348 says that it should have been discarded.` };
}

function whereTagIs({ bytes }: Arrived): string {
  const at = bytes.findIndex((byte, i) => byte === 0x81 && bytes[i + 1] === 0x00);
  if (at === -1) return "There is no tag in it: that begins with 81 00.";
  return `Your 81 00 is at byte ${at}. It stands where the EtherType was, behind both MACs: at byte 12.`;
}

export const L12: Lesson = {
  number: 12,
  title: "a VLAN tag inside",
  story: [
    "An 802.1Q tag is four bytes between the source MAC and the EtherType: 81 00, then three bits of priority, one more, and twelve " +
      "of VLAN. RFC 7348 (section 6.1) wants none of that inside: who sends should strip the tag, who receives should discard a " +
      "frame that has one, unless configured otherwise. Linux carries the tag like any other byte, and so does poplin with `vlan: " +
      "pass`, which is the default; `vlan: rfc` does what the standard says.",
    "Below is the ping with a tag. It has four bytes more, and so the overlay's MTU is four less for what is tagged.",
  ],
  bytes: () => hexdump(explain(EXAMPLES.vlan.bytes), painter(process.stdout.isTTY)),
  ...bytesExercises({
    file: "frame.hex",
    text: `${hexLines(PING_EXPLAINED, FRAME_AT).join("\n")}\n`,
    todo: [`frame.hex has a frame without a tag. Put it into VLAN ${VLAN}: four bytes, in the right place.`],
    receiver: NODE_B,
    peerMac: MAC_A,
    packet: tunnelWith,
    look,
    wrong: {
      typed: [{ where: "here", shell: "sed -i 's/^08 00 /08 00 81 00 00 64 /' frame.hex" }],
      says: /at byte 14\. It stands where the EtherType was/,
    },
    solution: [{ where: "here", shell: "sed -Ei 's/^08 00 (81 00 00 64 )?/81 00 00 64 08 00 /' frame.hex" }],
  }),
  moral: "Tags go through both; where they must not, a bridge's VLAN filter or `vlan: rfc` takes care of it.",
};
