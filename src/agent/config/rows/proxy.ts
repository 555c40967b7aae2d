/** Settings of the table of neighbours and of who is told what is missing. */
import { neighbour } from "../neighbours.ts";
import type { Rows } from "../settings.ts";
import { oneOf, yesOrNo } from "../values.ts";

export const PROXY_ROWS: Rows<"proxy" | "proxyUnknown" | "neighbours" | "l2miss" | "l3miss"> = {
  proxy: {
    read: yesOrNo,
    fallback: false,
    example: "true",
    placeholder: null,
    description:
      "Answer ARP requests and neighbour solicitations from the overlay's side for the addresses that the table of neighbours knows (`poplin neigh show`), so that none crosses the underlay: the `proxy` of the kernel's VXLAN.",
    reload: "live",
  },
  proxyUnknown: {
    read: oneOf(["drop", "forward"]),
    fallback: "drop",
    example: "drop",
    placeholder: "MODE",
    description:
      "What becomes of those that `proxy` does not answer, and of ARP that asks for nothing. `drop`: they end here and are counted as NEIGH_MISS; the kernel drops them too. `forward`: they go their way like any frame.",
    reload: "live",
  },
  neighbours: {
    shape: "list",
    read: neighbour,
    gather: (neighbours) => neighbours,
    format: (neighbours) => (neighbours.length === 0 ? "none" : neighbours.join(", ")),
    fallback: [],
    defaultText: "none but those of the peers",
    example: "10.0.0.5 lladdr 02:00:00:00:00:05",
    placeholder: "NEIGHBOUR",
    description:
      "Addresses in the overlay with the MACs that `proxy` answers with, in the words of `ip neigh`. The first address of each peer's subnet is in the table without being named here.",
    reload: "live",
  },
  l2miss: {
    read: yesOrNo,
    fallback: false,
    example: "true",
    placeholder: null,
    description:
      "Tell whoever listens (`poplin events`) of unicast frames to a MAC without a row in the forwarding table.",
    reload: "live",
  },
  l3miss: {
    read: yesOrNo,
    fallback: false,
    example: "true",
    placeholder: null,
    description:
      "Tell whoever listens (`poplin events`) of addresses that were asked for and are not in the table of neighbours. Needs `proxy`.",
    reload: "live",
  },
};
