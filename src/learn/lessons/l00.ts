/** L0: one ping, 148 bytes. */
import { EXAMPLES } from "../../teach/examples.ts";
import { explain } from "../../teach/explanation.ts";
import { hexdump } from "../../teach/hexdump.ts";
import { painter } from "../../teach/paint.ts";
import { answersExercise, type Question } from "../exercises/answers.ts";
import type { Lesson } from "../lesson.ts";

const INNER = "begin with the data, 56 bytes, and add what stands before it: ICMP, IPv4, Ethernet.";
const QUESTIONS: readonly Question[] = [
  {
    name: "outer Ethernet",
    answer: 14,
    mistakes: { 18: "18 would be with a VLAN tag." },
    hint: "two MACs of 6 bytes and an EtherType of 2.",
  },
  {
    name: "outer IPv4",
    answer: 20,
    mistakes: { 40: "40 is an IPv6 header." },
    hint: "five rows of four bytes.",
  },
  { name: "outer UDP", answer: 8, mistakes: {}, hint: "four numbers of two bytes." },
  {
    name: "VXLAN",
    answer: 8,
    mistakes: { 16: "a widely copied drawing has 16; count the bytes of the tunnel's own colour." },
    hint: "two rows of four bytes.",
  },
  {
    name: "inner frame",
    answer: 98,
    mistakes: {
      84: "84 is the inner IP packet; its Ethernet header comes before it.",
      56: "56 is ping's data alone.",
    },
    hint: INNER,
  },
  {
    name: "UDP payload",
    answer: 106,
    mistakes: {
      98: "98 is the inner frame; the VXLAN header is payload of UDP, too.",
      114: "114 is with the UDP header, as its length field has it.",
    },
    hint: "the inner frame and the VXLAN header.",
  },
  {
    name: "on the wire",
    answer: 148,
    mistakes: {
      134: "134 is the outer IP packet; Ethernet comes before it.",
      152: "152 is with the check sequence that the card adds: no capture shows it.",
    },
    hint: "all of it.",
  },
];

export const L00: Lesson = {
  number: 0,
  title: "one ping, 148 bytes",
  story: [
    "A pod (containers that share an address) on node A pings a pod on node B. Between the nodes is an ordinary network, which knows nothing of pods. So node A " +
      "puts the whole Ethernet frame, with the pods' addresses, into a UDP datagram from node to node: packets over packets.",
    "Below is what is on the wire, and under each row whose bytes they are; > goes on in the next row. Blue are the outer headers, " +
      "magenta the tunnel's, which is VXLAN's, and green is the inner frame: what the pod has sent, from its Ethernet header on. What " +
      "UDP carries, its payload, is magenta and green together.",
  ],
  bytes: () => hexdump(explain(EXAMPLES.ping.bytes), painter(process.stdout.isTTY)),
  plain: answersExercise({
    heading: "One ping from pod to pod. How many bytes are …",
    questions: QUESTIONS,
    todo: "`poplin explain --example ping` names every byte; look there only when you are stuck.",
    says: "56 + 8 + 20 + 14 = 98, + 8 = 106, + 8 + 20 + 14 = 148.",
    mistake: { name: "UDP payload", number: 98 },
  }),
  real: null,
  moral: "50 bytes go around each frame: Ethernet 14, IPv4 20, UDP 8, VXLAN 8.",
};
