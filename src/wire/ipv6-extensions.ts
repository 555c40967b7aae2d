/** IPv6 extension headers (RFC 8200 section 4) and the options inside two of them. */
import type { Field, HeaderTable } from "./field.ts";
import {
  PROTOCOL_DESTINATION_OPTIONS,
  PROTOCOL_FRAGMENT,
  PROTOCOL_HOP_BY_HOP,
  PROTOCOL_ROUTING,
} from "./numbers.ts";
import { optionData, optionLength, optionType, reserved } from "./options.ts";

function nextHeader(source: string): Field {
  return {
    name: "nextHeader",
    title: "next header",
    at: 0,
    width: 8,
    format: "protocol",
    short: "what follows",
    meaning: "What follows this extension header, by the same numbers as in the IPv6 header.",
    why: "Headers form a chain; each names the next.",
    source,
    ifWrong: 'What follows is handed to the wrong protocol, or ICMPv6 says "unrecognized next header".',
    usual: 59,
  };
}

function headerLength(source: string): Field {
  return {
    name: "headerLength",
    title: "header length",
    at: 8,
    width: 8,
    format: "decimal",
    short: "8-byte units after 8",
    meaning: "Length of this header in units of 8 bytes, not counting the first 8.",
    why: "Its content is of variable length, and the next header must be found.",
    source,
    ifWrong: "The chain goes on at the wrong place, and everything after it is nonsense.",
  };
}

export const IPV6_HOP_BY_HOP: HeaderTable = {
  name: "ipv6-hop-by-hop",
  title: "hop-by-hop options",
  kind: "header",
  length: 2,
  fields: [nextHeader("RFC 8200 section 4.3"), headerLength("RFC 8200 section 4.3")],
};

export const IPV6_DESTINATION_OPTIONS: HeaderTable = {
  name: "ipv6-destination-options",
  title: "destination options",
  kind: "header",
  length: 2,
  fields: [nextHeader("RFC 8200 section 4.6"), headerLength("RFC 8200 section 4.6")],
};

export const IPV6_ROUTING: HeaderTable = {
  name: "ipv6-routing",
  title: "routing header",
  kind: "header",
  length: 4,
  fields: [
    nextHeader("RFC 8200 section 4.4"),
    headerLength("RFC 8200 section 4.4"),
    {
      name: "routingType",
      title: "routing type",
      at: 16,
      width: 8,
      format: "decimal",
      short: "how to read the data",
      meaning:
        "Which kind of routing header: 2 mobility, 3 RPL, 4 segment routing. 0 is forbidden (RFC 5095).",
      why: "Ways to name the stops on a path differ.",
      source: "RFC 8200 section 4.4",
      ifWrong:
        "With segments left, a node that does not know the type drops the packet and says so by ICMPv6.",
      usual: 4,
    },
    {
      name: "segmentsLeft",
      title: "segments left",
      at: 24,
      width: 8,
      format: "decimal",
      short: "stops still to visit",
      meaning: "How many of the listed nodes are still to be visited.",
      why: "Each stop takes 1 off and sends the packet on to the next in the list.",
      source: "RFC 8200 section 4.4",
      ifWrong: "A stop is skipped, or the packet is dropped with an ICMPv6 parameter problem.",
    },
    {
      name: "data",
      title: "data",
      at: 32,
      width: "rest",
      format: "bytes",
      short: "as the type says",
      meaning: "The stops, in the layout of the routing type.",
      why: "Types need different data.",
      source: "RFC 8200 section 4.4",
      ifWrong: "The packet visits the wrong nodes.",
    },
  ],
};

const FRAGMENT = "RFC 8200 section 4.5";

export const IPV6_FRAGMENT: HeaderTable = {
  name: "ipv6-fragment",
  title: "fragment header",
  kind: "header",
  length: 8,
  fields: [
    nextHeader(FRAGMENT),
    reserved("reserved1", 8, 8, FRAGMENT),
    {
      name: "fragmentOffset",
      title: "fragment offset",
      at: 16,
      width: 13,
      format: "decimal",
      short: "place of this fragment",
      meaning: "Where this piece belongs in the packet's fragmentable part, in units of 8 bytes.",
      why: "Fragments may arrive in any order. In IPv6 only the sender cuts, never a router.",
      source: FRAGMENT,
      ifWrong: "Pieces overlap, and the whole packet must be dropped (RFC 5722), or it is never complete.",
      scale: 8,
      unit: "bytes",
    },
    reserved("reserved2", 29, 2, FRAGMENT),
    {
      name: "moreFragments",
      title: "M",
      at: 31,
      width: 1,
      format: "flag",
      short: "more fragments follow",
      meaning: "Set on every fragment but the last.",
      why: "The length of the whole is not known until the fragment without it has come.",
      source: FRAGMENT,
      ifWrong: "The receiver waits for pieces that never come and gives up after 60 seconds.",
    },
    {
      name: "identification",
      title: "identification",
      at: 32,
      width: 32,
      format: "hex",
      short: "joins its fragments",
      meaning: "A number the fragments of one packet have in common.",
      why: "The receiver puts pieces with the same number and addresses together.",
      source: FRAGMENT,
      ifWrong: "Pieces of two packets are joined into a broken one.",
    },
  ],
};

/** Extension headers by protocol number. */
export const IPV6_EXTENSIONS: Readonly<Record<number, HeaderTable>> = {
  [PROTOCOL_HOP_BY_HOP]: IPV6_HOP_BY_HOP,
  [PROTOCOL_ROUTING]: IPV6_ROUTING,
  [PROTOCOL_FRAGMENT]: IPV6_FRAGMENT,
  [PROTOCOL_DESTINATION_OPTIONS]: IPV6_DESTINATION_OPTIONS,
};

const OPTIONS = "RFC 8200 section 4.2";

export const IPV6_OPTION_PAD1: HeaderTable = {
  name: "ipv6-pad1",
  title: "Pad1",
  kind: "option",
  length: 1,
  fields: [optionType(0, "one byte of filler", OPTIONS, "0: one byte of filler, with no length byte.")],
};

export const IPV6_OPTION_PADN: HeaderTable = {
  name: "ipv6-padn",
  title: "PadN",
  kind: "option",
  length: 2,
  fields: [
    optionType(1, "filler", OPTIONS, "1: filler, so that the header ends at a multiple of 8 bytes."),
    optionLength(0, OPTIONS, "data"),
    optionData(OPTIONS),
  ],
};

export const IPV6_OPTION_ROUTER_ALERT: HeaderTable = {
  name: "ipv6-router-alert",
  title: "router alert",
  kind: "option",
  length: 4,
  fields: [
    optionType(5, "routers, look here", "RFC 2711 section 2.1", "5: router alert."),
    optionLength(2, "RFC 2711 section 2.1", "data"),
    {
      name: "value",
      title: "value",
      at: 16,
      width: 16,
      format: "decimal",
      short: "what is inside",
      meaning: "What the packet carries: 0 multicast listener discovery, 1 RSVP.",
      why: "Multicast listener reports concern routers whose address the sender does not know.",
      source: "RFC 2711 section 2.1",
      ifWrong: "Routers ignore it and pass the packet on unread.",
      names: { 0: "MLD", 1: "RSVP" },
    },
  ],
};

export const IPV6_OPTION_JUMBO: HeaderTable = {
  name: "ipv6-jumbo",
  title: "jumbo payload",
  kind: "option",
  length: 6,
  fields: [
    optionType(
      0xc2,
      "over 65,535 bytes",
      "RFC 2675 section 2",
      "0xc2: the packet is longer than 65,535 bytes.",
    ),
    optionLength(4, "RFC 2675 section 2", "data"),
    {
      name: "payloadLength",
      title: "payload length",
      at: 16,
      width: 32,
      format: "decimal",
      short: "after the IPv6 header",
      meaning: "Bytes after the IPv6 header, whose own payload length is then 0.",
      why: "16 bits end at 65,535. Linux uses it between segmentation offloads (BIG TCP).",
      source: "RFC 2675 section 2",
      ifWrong: "65,535 or less: dropped with an ICMPv6 parameter problem.",
      unit: "bytes",
    },
  ],
};

/** Any other option. */
export const IPV6_OPTION: HeaderTable = {
  name: "ipv6-option",
  title: "option",
  kind: "option",
  length: 2,
  fields: [
    optionType(
      0x1e,
      "which option",
      OPTIONS,
      "The first two bits say what a node does that does not know it.",
    ),
    optionLength(0, OPTIONS, "data"),
    optionData(OPTIONS),
  ],
};

/** Tables by type; what is not here is an `IPV6_OPTION`. */
export const IPV6_OPTIONS: Readonly<Record<number, HeaderTable>> = {
  0: IPV6_OPTION_PAD1,
  1: IPV6_OPTION_PADN,
  5: IPV6_OPTION_ROUTER_ALERT,
  194: IPV6_OPTION_JUMBO,
};
