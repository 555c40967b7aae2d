/** L10: the zero UDP checksum. */

import { explain } from "../../teach/explanation.ts";
import { hexLines } from "../../teach/hex-lines.ts";
import { hexdump } from "../../teach/hexdump.ts";
import { painter } from "../../teach/paint.ts";
import { repairChecksums } from "../../teach/repair.ts";
import { hex } from "../../wire/index.ts";
import { type Arrived, bytesExercises, valueIn, whatHappened } from "../exercises/bytes.ts";
import { MAC_A, NODE_B, PING } from "../exercises/ping.ts";
import type { Lesson, Seen } from "../lesson.ts";

/** Where the UDP checksum is, and the byte of ping's data in which a bit has changed on the way. */
const CHECKSUM_AT = 40;
const FLIPPED_AT = PING.length - 1;

/** The ping, sent with a UDP checksum, and changed on the way. */
function damaged(): Uint8Array {
  const bytes = PING.slice();
  bytes[CHECKSUM_AT] = 0xff; // not zero: that there is one
  repairChecksums(bytes);
  bytes[FLIPPED_AT]! ^= 0x04;
  return bytes;
}

const DAMAGED = damaged();

function look(arrived: Arrived): Seen {
  const { bytes, linux, poplin } = arrived;
  const isElsewhere = bytes.some(
    (byte, at) => byte !== DAMAGED[at] && at !== CHECKSUM_AT && at !== CHECKSUM_AT + 1,
  );
  if (isElsewhere || bytes.length !== DAMAGED.length)
    return {
      done: false,
      says: "Only the two bytes of the UDP checksum are yours; another one has changed.",
    };
  if (!linux.in || !poplin.in) {
    const sum = hex(bytes, CHECKSUM_AT, 2, " ");
    const says = `${sum} does not fit what the checksum covers: all of the inner frame, too.`;
    return { done: false, says: `${whatHappened(arrived)} ${says}` };
  }
  if (valueIn(arrived, "outer.udp.checksum") !== 0) {
    const says =
      "That is the sum of the damaged packet. There is a value that fits every packet, without a sum.";
    return { done: false, says: `${whatHappened(arrived)} ${says}` };
  }
  const says = "The damaged byte went through the tunnel; now only the ping's own checksum can tell.";
  return { done: true, says: `${whatHappened(arrived)} ${says}` };
}

export const L10: Lesson = {
  number: 10,
  title: "the zero UDP checksum",
  story: [
    "A UDP checksum covers the whole datagram: for a tunnel that is every byte of the inner frame, summed up once more at both ends. " +
      "Over IPv4 a sender may leave it out and write 0, and RFC 7348 says that it should; a receiver must take such a packet, but " +
      "where there is a checksum it may verify it. Linux does. Over IPv6 there has to be one, unless the receiver was told otherwise " +
      "(RFC 6935).",
    "The ping below was sent with a checksum, and a bit of its last byte has changed on the way.",
  ],
  bytes: () => hexdump(explain(DAMAGED), painter(process.stdout.isTTY)),
  ...bytesExercises({
    file: "packet.hex",
    text: `${hexLines(explain(DAMAGED)).join("\n")}\n`,
    todo: ["Have both let it in, damaged as it is, by the two bytes of the outer UDP checksum alone."],
    receiver: NODE_B,
    peerMac: MAC_A,
    packet: (bytes) => bytes,
    look,
    wrong: {
      typed: [{ where: "here", shell: "sed -i 's/^38 9d/12 34/' packet.hex" }],
      says: /UDP_CSUM.* 12 34 does not fit what the checksum covers/,
    },
    solution: [{ where: "here", shell: "sed -Ei 's/^(38 9d|12 34)( +# checksum)/00 00\\2/' packet.hex" }],
  }),
  moral:
    "0 says that nobody has summed. RFC 7348 recommends it over IPv4; Linux, flannel and poplin compute the sum unless they are told " +
    "otherwise (`noudpcsum`, `udpChecksum: zero`). TCP inside sums for itself.",
};
