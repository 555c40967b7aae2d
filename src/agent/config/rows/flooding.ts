/** Settings of what has no row, of what is learned, and of whom we hear. */
import { multicastGroup, underlayAddress } from "../addresses.ts";
import type { Rows } from "../settings.ts";
import { oneOf, orAuto, wholeNumber, yesOrNo } from "../values.ts";
import { formatList } from "./format.ts";

export const FLOODING_ROWS: Rows<
  "remote" | "group" | "floodRate" | "learning" | "ageing" | "maxaddress" | "senderCheck"
> = {
  remote: {
    shape: "list",
    read: underlayAddress,
    gather: (addresses) => [...new Set(addresses)],
    format: formatList,
    fallback: [],
    defaultText: "none: what has no row is dropped",
    example: "192.168.0.2",
    placeholder: "ADDRESS",
    description:
      "VTEPs that get a copy of every frame whose MAC has no row: broadcast, multicast and unknown unicast (head-end replication). Rows for 00:00:00:00:00:00 in `poplin fdb show`.",
    reload: "live",
  },
  group: {
    read: orAuto(multicastGroup),
    fallback: null,
    defaultText: "none",
    example: "239.1.1.1",
    placeholder: "ADDRESS",
    description:
      "Multicast group to which such frames are sent, once, and whose frames are heard: it is joined on the interface `dev`.",
    reload: "restart",
  },
  floodRate: {
    read: wholeNumber(0, 10_000_000),
    fallback: 0,
    defaultText: "0: any number",
    example: "10000",
    placeholder: "FRAMES",
    description: "Most frames in a second that go to several VTEPs or to a group; more are dropped.",
    reload: "live",
  },
  learning: {
    read: yesOrNo,
    fallback: false,
    example: "true",
    placeholder: null,
    description:
      "Learn from each frame that is let in where its source MAC lives. flannel's overlays do not; `poplin vtep` does unless told otherwise.",
    reload: "live",
  },
  ageing: {
    read: wholeNumber(0, 1_000_000),
    fallback: 300,
    example: "300",
    placeholder: "SECONDS",
    description: "Seconds after which a learned row goes when no frame comes from its MAC; 0: never.",
    reload: "live",
  },
  maxaddress: {
    read: wholeNumber(0, 2 ** 24),
    fallback: 65_536,
    example: "65536",
    placeholder: "ROWS",
    description:
      "Most rows that are learned; 0: any number, which is the kernel's default. A frame of a MAC that is not learned is let in all the same.",
    reload: "live",
  },
  senderCheck: {
    read: orAuto(oneOf(["strict", "mac", "off"])),
    fallback: null,
    defaultText: "strict; off with a multicast group, whose members are not known beforehand",
    example: "strict",
    placeholder: "MODE",
    description:
      "Whose datagrams are let in. `strict`: the source address is a peer's. `mac`: the inner source MAC is a peer's, from whatever address. `off`: anybody's. With `strict`, what is in `remote` is a peer, too. VXLAN has no authentication: use `off` only where nobody else can send.",
    reload: "live",
  },
};
