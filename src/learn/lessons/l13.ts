/** L13: a spoofed VTEP. */
import { assign } from "../../teach/assign.ts";
import { explain } from "../../teach/explanation.ts";
import { hexLines } from "../../teach/hex-lines.ts";
import { hexdump } from "../../teach/hexdump.ts";
import { painter } from "../../teach/paint.ts";
import { type Arrived, bytesExercises, valueIn, whatHappened } from "../exercises/bytes.ts";
import { MAC_A, NODE_B, PING } from "../exercises/ping.ts";
import type { Lesson, Seen } from "../lesson.ts";

const STRANGER = "172.19.0.66";
const FROM_STRANGER = assign(PING, [{ path: "outer.ipv4.source", value: STRANGER }]);

function look(arrived: Arrived): Seen {
  const { linux, poplin } = arrived;
  if (poplin.in && linux.in) {
    return { done: true, says: `${whatHappened(arrived)} Nothing in a VXLAN packet proves who has sent it.` };
  }
  return { done: false, says: `${whatHappened(arrived)} ${hint(arrived)}` };
}

function hint(arrived: Arrived): string {
  switch (arrived.poplin.reason) {
    case "UNKNOWN_VTEP":
      return "poplin knows one VTEP, 172.19.0.2 (ac 13 00 02), and takes nothing from another address.";
    case "IP_CSUM":
      return (
        "The checksum of the IPv4 header covers the address: the words of the header, summed up in ones' complement, have to give " +
        `ffff. The address has become ${0x42 - 0x02} (0x40) less, so the checksum is 0x40 more.`
      );
    default: {
      const to = valueIn(arrived, "outer.ipv4.destination");
      return to === undefined
        ? "This is no VXLAN packet any more."
        : "Change the source address, and what covers it.";
    }
  }
}

export const L13: Lesson = {
  number: 13,
  title: "a spoofed VTEP: there is no authentication",
  story: [
    "Whoever can send UDP to a node can put frames into its overlay: VXLAN has no key, no signature, no session (RFC 7348, section 7). " +
      "The kernel takes frames from any address. poplin asks whether the address is a VTEP's that it knows (`senderCheck: strict`), " +
      "which keeps out who does not try, and what has lost its way.",
    `Below is a ping of ${STRANGER}, who is no VTEP. Linux lets it in, poplin does not.`,
  ],
  bytes: () => hexdump(explain(FROM_STRANGER), painter(process.stdout.isTTY)),
  ...bytesExercises({
    file: "packet.hex",
    text: `${hexLines(explain(FROM_STRANGER)).join("\n")}\n`,
    todo: ["Have poplin let it in: pretend to be node-a, 172.19.0.2."],
    receiver: NODE_B,
    peerMac: MAC_A,
    packet: (bytes) => bytes,
    look,
    wrong: {
      typed: [{ where: "here", shell: "sed -i 's/^ac 13 00 42/ac 13 00 02/' packet.hex" }],
      says: /IP_CSUM.* The checksum of the IPv4 header covers the address/,
    },
    solution: [
      {
        where: "here",
        shell: "sed -i 's/^ac 13 00 42/ac 13 00 02/; s/^0f c8/10 08/' packet.hex",
      },
    ],
  }),
  moral:
    "An overlay is as safe as its underlay: keep UDP 8472 between the nodes, by firewall, or encrypt below it (WireGuard, IPsec).",
};
