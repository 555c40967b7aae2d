/** Neighbour discovery (RFC 4861): the ICMPv6 messages that do for IPv6 what ARP does for IPv4, and more. */
import type { Field, HeaderTable } from "./field.ts";
import {
  ICMPV6_NEIGHBOUR_ADVERTISEMENT,
  ICMPV6_NEIGHBOUR_SOLICITATION,
  ICMPV6_ROUTER_ADVERTISEMENT,
  ICMPV6_ROUTER_SOLICITATION,
  icmpv6Head,
} from "./icmpv6.ts";
import { reserved } from "./options.ts";

function target(source: string, meaning: string): Field {
  return {
    name: "target",
    title: "target",
    at: 64,
    width: 128,
    format: "ipv6",
    short: "whom it is about",
    meaning,
    why: "The IPv6 destination of a question is a group that several hosts share.",
    source,
    ifWrong: "Another host answers, or none; a group address as target is dropped.",
  };
}

export const ND_NEIGHBOUR_SOLICITATION: HeaderTable = {
  name: "nd-neighbour-solicitation",
  title: "ND neighbour solicitation",
  kind: "header",
  length: 24,
  fields: [
    ...icmpv6Head(ICMPV6_NEIGHBOUR_SOLICITATION, "RFC 4861 section 4.3"),
    reserved("reserved", 32, 32, "RFC 4861 section 4.3"),
    target("RFC 4861 section 4.3", 'The address whose link address is asked for: the "who has" of IPv6.'),
  ],
};

const NA = "RFC 4861 section 4.4";

export const ND_NEIGHBOUR_ADVERTISEMENT: HeaderTable = {
  name: "nd-neighbour-advertisement",
  title: "ND neighbour advertisement",
  kind: "header",
  length: 24,
  fields: [
    ...icmpv6Head(ICMPV6_NEIGHBOUR_ADVERTISEMENT, NA),
    {
      name: "router",
      title: "R",
      at: 32,
      width: 1,
      format: "flag",
      short: "sender is a router",
      meaning: "Set: the sender is a router.",
      why: "A host notices when its default router has become a host.",
      source: NA,
      ifWrong: "Clear from a router: hosts take it off their list and lose their way out.",
    },
    {
      name: "solicited",
      title: "S",
      at: 33,
      width: 1,
      format: "flag",
      short: "answers a question",
      meaning: "Set: this answers a solicitation sent to this address.",
      why: "Only an answer proves that packets get there and back.",
      source: NA,
      ifWrong: "Clear in an answer: the neighbour is not taken for reachable and is asked again.",
    },
    {
      name: "override",
      title: "O",
      at: 34,
      width: 1,
      format: "flag",
      short: "replaces what is known",
      meaning: "Set: the link address here replaces the one already known.",
      why: "A moved address must be corrected; one of several equal servers (anycast) must not push out the others.",
      source: NA,
      ifWrong: "Clear after a move: the old link address stays in use for a while.",
    },
    reserved("reserved", 35, 29, NA),
    target(NA, "The address that was asked for, or whose link address has changed."),
  ],
};

export const ND_ROUTER_SOLICITATION: HeaderTable = {
  name: "nd-router-solicitation",
  title: "ND router solicitation",
  kind: "header",
  length: 8,
  fields: [
    ...icmpv6Head(ICMPV6_ROUTER_SOLICITATION, "RFC 4861 section 4.1"),
    reserved("reserved", 32, 32, "RFC 4861 section 4.1"),
  ],
};

const RA = "RFC 4861 section 4.2";

export const ND_ROUTER_ADVERTISEMENT: HeaderTable = {
  name: "nd-router-advertisement",
  title: "ND router advertisement",
  kind: "header",
  length: 16,
  fields: [
    ...icmpv6Head(ICMPV6_ROUTER_ADVERTISEMENT, RA),
    {
      name: "hopLimit",
      title: "hop limit",
      at: 32,
      width: 8,
      format: "decimal",
      short: "for hosts to use",
      meaning: "Hop limit that hosts on this link shall send with; 0: the router does not say.",
      why: "It can be changed for a whole network at one place.",
      source: RA,
      ifWrong: "Too small: hosts reach only what is near.",
      usual: 64,
    },
    {
      name: "managed",
      title: "M",
      at: 40,
      width: 1,
      format: "flag",
      short: "addresses by DHCPv6",
      meaning: "Set: addresses are given out by DHCPv6.",
      why: "The host must know whether to ask a server or to make up its own address.",
      source: RA,
      ifWrong: "Hosts wait for a DHCPv6 server that is not there, or never ask it.",
    },
    {
      name: "other",
      title: "O",
      at: 41,
      width: 1,
      format: "flag",
      short: "the rest by DHCPv6",
      meaning: "Set: other settings, such as DNS servers, come by DHCPv6.",
      why: "Addresses can be made up by the host and the rest still come from a server.",
      source: RA,
      ifWrong: "Hosts have an address but no DNS.",
    },
    {
      name: "homeAgent",
      title: "H",
      at: 42,
      width: 1,
      format: "flag",
      short: "mobile IPv6 home agent",
      meaning: "Set: the router is a home agent of mobile IPv6.",
      why: "A travelling host looks for one.",
      source: "RFC 6275 section 7.1",
      ifWrong: "Only mobile hosts notice.",
    },
    {
      name: "preference",
      title: "preference",
      at: 43,
      width: 2,
      format: "decimal",
      short: "among several routers",
      meaning: "0 medium, 1 high, 3 low; 2 is reserved.",
      why: "Hosts with several routers choose the one that is meant for daily use.",
      source: "RFC 4191 section 2.2",
      ifWrong: "Traffic takes the worse way out.",
      names: { 0: "medium", 1: "high", 3: "low" },
    },
    reserved("reserved", 45, 3, RA),
    {
      name: "lifetime",
      title: "router lifetime",
      at: 48,
      width: 16,
      format: "decimal",
      short: "as a default router",
      meaning: "Seconds for which the sender may be used as default router; 0: not at all.",
      why: "A router that falls silent is forgotten by itself.",
      source: RA,
      ifWrong: "0: hosts drop their default route. Too long: they keep a dead router.",
      usual: 1800,
      unit: "seconds",
    },
    {
      name: "reachableTime",
      title: "reachable time",
      at: 64,
      width: 32,
      format: "decimal",
      short: "trust in a neighbour",
      meaning: "Milliseconds for which a neighbour counts as reachable after a sign of life; 0: unspecified.",
      why: "How fast a dead neighbour is noticed is a matter of the network.",
      source: RA,
      ifWrong: "Too short: neighbours are asked all the time. Too long: dead ones are noticed late.",
      unit: "ms",
    },
    {
      name: "retransTimer",
      title: "retrans timer",
      at: 96,
      width: 32,
      format: "decimal",
      short: "between two questions",
      meaning: "Milliseconds between solicitations sent again; 0: unspecified.",
      why: "Slow links need more patience.",
      source: RA,
      ifWrong: "Too short: needless questions. Too long: addresses are found late.",
      unit: "ms",
    },
  ],
};

/** Tables by ICMPv6 type. Options (`nd-options.ts`) may follow each. */
export const ND_MESSAGES: Readonly<Record<number, HeaderTable>> = {
  [ICMPV6_ROUTER_SOLICITATION]: ND_ROUTER_SOLICITATION,
  [ICMPV6_ROUTER_ADVERTISEMENT]: ND_ROUTER_ADVERTISEMENT,
  [ICMPV6_NEIGHBOUR_SOLICITATION]: ND_NEIGHBOUR_SOLICITATION,
  [ICMPV6_NEIGHBOUR_ADVERTISEMENT]: ND_NEIGHBOUR_ADVERTISEMENT,
};
