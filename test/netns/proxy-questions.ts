/** What is asked of the kernel's proxy and of ours: by name a frame from a bridge, for a neighbour that both know. */
import { frame } from "../dataplane/frames.ts";
import { arp, IP6_NOBODY, type Solicitation, solicitation } from "../dataplane/questions.ts";

const OTHER = "0a5800000099";
const sol = (given: Solicitation): Uint8Array => solicitation(given).bytes;

/** Answered by both with the same bytes, or by neither. */
export const QUESTIONS: Readonly<Record<string, Uint8Array>> = {
  "an ARP request": arp({}).bytes,
  "an ARP request with padding": arp({ padding: 18 }).bytes,
  "an ARP request of IEEE 802": arp({ hardware: "0006" }).bytes,
  "an ARP request of another kind of link": arp({ hardware: "0020" }).bytes,
  "an ARP probe": arp({ sender: "00000000" }).bytes,
  "an ARP reply": arp({ op: "0002" }).bytes,
  "an ARP request for nobody": arp({ target: "0a630006" }).bytes,
  "an ARP request for a loopback address": arp({ target: "7f000001" }).bytes,
  "a solicitation": sol({}),
  "a solicitation without an option": sol({ options: "" }),
  "a solicitation with the option last": sol({ options: `0e01aabbccddeeff 0101${OTHER}` }),
  "a solicitation with an option of no length": sol({ options: "0100000000000000" }),
  "a solicitation with a traffic class and a flow label": sol({ word: "6fffffff" }),
  "a solicitation for nobody": sol({ target: "fd990000000000000000000000000006" }),
};

/** What else a bridge may send: to a MAC that nobody has, and to all. */
export const OTHERS: readonly Uint8Array[] = [
  frame({ dst: "02:00:00:00:00:77" }),
  frame({ dst: "01:00:5e:00:00:fb" }),
  frame({ dst: "ff:ff:ff:ff:ff:ff" }),
];

/** Answered otherwise: the kernel's answer is to ::, which no packet may be sent to. */
export const PROBE = sol({ source: IP6_NOBODY, options: "" });
