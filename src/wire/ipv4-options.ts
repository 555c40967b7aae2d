/** Options of the IPv4 header (RFC 791 section 3.1). Rare: many routers drop packets that carry any. */
import type { HeaderTable } from "./field.ts";
import { optionData, optionLength, optionType } from "./options.ts";

const SOURCE = "RFC 791 section 3.1 (Options)";

export const IPV4_OPTION_END: HeaderTable = {
  name: "ipv4-end",
  title: "end of options",
  kind: "option",
  length: 1,
  fields: [optionType(0, "no more options", SOURCE, "0: what is left of the header is padding.")],
};

export const IPV4_OPTION_NOP: HeaderTable = {
  name: "ipv4-nop",
  title: "no operation",
  kind: "option",
  length: 1,
  fields: [
    optionType(1, "filler", SOURCE, "1: a filler, so that the next option starts at a multiple of 4."),
  ],
};

export const IPV4_OPTION_ROUTER_ALERT: HeaderTable = {
  name: "ipv4-router-alert",
  title: "router alert",
  kind: "option",
  length: 4,
  fields: [
    optionType(148, "routers, look here", "RFC 2113 section 2.1", "148: router alert."),
    optionLength(4, "RFC 2113 section 2.1"),
    {
      name: "value",
      title: "value",
      at: 16,
      width: 16,
      format: "decimal",
      short: "0: examine the packet",
      meaning: "0: each router on the way shall examine the packet. Other values are registered with IANA.",
      why: "IGMP and RSVP messages concern the routers on the way, whose address the sender does not know.",
      source: "RFC 2113 section 2.1",
      ifWrong: "Routers ignore it and pass the packet on unread.",
    },
  ],
};

export const IPV4_OPTION_RECORD_ROUTE: HeaderTable = {
  name: "ipv4-record-route",
  title: "record route",
  kind: "option",
  length: 3,
  fields: [
    optionType(7, "note the way", SOURCE, "7: each router writes its address into the list."),
    optionLength(3, SOURCE),
    {
      name: "pointer",
      title: "pointer",
      at: 16,
      width: 8,
      format: "decimal",
      short: "next free place",
      meaning:
        "Where the next address goes, counted from the type byte as 1. Past the length: the list is full.",
      why: "A router need not search the list.",
      source: SOURCE,
      ifWrong: "Routers overwrite an address or report a parameter problem.",
      usual: 4,
    },
    {
      name: "route",
      title: "route",
      at: 24,
      width: "rest",
      format: "bytes",
      short: "4 bytes a hop",
      meaning: "The addresses so far, 4 bytes each; zero where none is written yet. ping -R uses it.",
      why: "It shows the way of a packet that arrived, nine hops of it at most.",
      source: SOURCE,
      ifWrong: "A wrong map; nothing else depends on it.",
    },
  ],
};

/** Any other option. */
export const IPV4_OPTION: HeaderTable = {
  name: "ipv4-option",
  title: "option",
  kind: "option",
  length: 2,
  fields: [
    optionType(
      2,
      "which option",
      SOURCE,
      'One bit "copy to all fragments", two bits class, five bits number.',
    ),
    optionLength(2, SOURCE),
    optionData(SOURCE),
  ],
};

/** Tables by type; what is not here is an `IPV4_OPTION`. */
export const IPV4_OPTIONS: Readonly<Record<number, HeaderTable>> = {
  0: IPV4_OPTION_END,
  1: IPV4_OPTION_NOP,
  7: IPV4_OPTION_RECORD_ROUTE,
  148: IPV4_OPTION_ROUTER_ALERT,
};
