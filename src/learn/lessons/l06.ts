/** L6: two different fifties. */
import { answersExercise, type Question } from "../exercises/answers.ts";
import type { Lesson } from "../lesson.ts";

const QUESTIONS: readonly Question[] = [
  {
    name: "added to a frame on the wire",
    answer: 50,
    mistakes: { 36: "36 is without the outer Ethernet header, which is on the wire, too." },
    hint: "what stands before the inner frame: outer Ethernet, IPv4, UDP, VXLAN.",
  },
  {
    name: "taken from the MTU",
    answer: 50,
    mistakes: {
      36: "36 is without the inner Ethernet header: an MTU counts IP packets, and inside the outer one is a frame.",
      64: "64 is with both Ethernet headers; the outer one is in no MTU.",
    },
    hint: "what is in the outer IP packet besides the inner IP packet: IPv4, UDP, VXLAN, inner Ethernet.",
  },
  {
    name: "added over IPv6",
    answer: 70,
    mistakes: { 50: "50 is with an IPv4 header." },
    hint: "the same as the first, with 40 bytes of IPv6 for 20 of IPv4.",
  },
  {
    name: "taken from the MTU with a VLAN tag inside",
    answer: 54,
    mistakes: {
      50: "50 is without the tag: it is part of the inner frame, and its 4 bytes are in the outer packet.",
    },
    hint: "as the second, and the tag.",
  },
  {
    name: "taken from the MTU with a VLAN tag outside",
    answer: 50,
    mistakes: { 54: "54 would be if the tag were in the outer IP packet; it stands before it." },
    hint: "an MTU counts IP packets; where is the tag?",
  },
];

export const L06: Lesson = {
  number: 6,
  title: "two different fifties",
  story: [
    "Two numbers are called overhead. One is what a frame grows by on the wire: what stands before it. The other is what an MTU loses: " +
      "what the outer IP packet carries besides the inner IP packet. Over IPv4 both are 50, of different bytes, and whoever takes one for " +
      "the other is right until there is a VLAN tag.",
  ],
  bytes: () => [
    "            ┌───────── on the wire: 14 + 20 + 8 + 8 ────────┐",
    "            │ Ethernet 14 │ IPv4 20 │ UDP 8 │ VXLAN 8 │ Ethernet 14 │ IP …",
    "                          └──────── of the MTU: 20 + 8 + 8 + 14 ────┘",
  ],
  plain: answersExercise({
    heading: "Bytes …",
    questions: QUESTIONS,
    todo: "Without another word IPv4 is outside.",
    says: "The tag inside is in the outer packet, and counts; the one outside does not.",
    mistake: { name: "taken from the MTU with a VLAN tag outside", number: 54 },
  }),
  real: null,
  moral: "On the wire: outer Ethernet 14 + 20 + 8 + 8. Of the MTU: 20 + 8 + 8 + inner Ethernet 14.",
};
