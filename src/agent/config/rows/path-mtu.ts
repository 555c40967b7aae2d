/** Settings of the path MTU. */
import type { Rows } from "../settings.ts";
import { oneOf, wholeNumber, wordOr } from "../values.ts";

export const PATH_MTU_ROWS: Rows<"pmtu" | "pmtuProbe"> = {
  pmtu: {
    read: oneOf(["icmp", "off"]),
    fallback: "icmp",
    example: "icmp",
    placeholder: "MODE",
    description:
      "What becomes of an inner packet too long for the path to its peer, where that takes less than the overlay's MTU needs. `icmp`: its sender is told what fits, as by a router, unless the packet may be fragmented. `off`: it is sent; the underlay fragments it, or drops it.",
    reload: "live",
  },
  pmtuProbe: {
    read: wordOr("off", wholeNumber(1, 86_400)),
    fallback: 600,
    example: "600",
    placeholder: "SECONDS",
    description:
      "How often the path MTU to each peer is looked for, by pings with DF set, usually two. `off`: only what ICMP from the underlay tells the kernel is known; over IPv4 that is nothing unless `df: set`. For networks that drop long pings and nothing else.",
    reload: "live",
  },
};
