/** ICMPv6 (RFC 4443): echo and errors. Neighbour discovery is in `nd.ts`. */
import type { Field, HeaderTable } from "./field.ts";
import { echoFields } from "./icmp.ts";
import { reserved } from "./options.ts";

export const ICMPV6_UNREACHABLE = 1;
export const ICMPV6_PACKET_TOO_BIG = 2;
export const ICMPV6_TIME_EXCEEDED = 3;
export const ICMPV6_PARAMETER_PROBLEM = 4;
export const ICMPV6_ECHO_REQUEST = 128;
export const ICMPV6_ECHO_REPLY = 129;
export const ICMPV6_ROUTER_SOLICITATION = 133;
export const ICMPV6_ROUTER_ADVERTISEMENT = 134;
export const ICMPV6_NEIGHBOUR_SOLICITATION = 135;
export const ICMPV6_NEIGHBOUR_ADVERTISEMENT = 136;

const TYPES: Readonly<Record<number, string>> = {
  [ICMPV6_UNREACHABLE]: "unreachable",
  [ICMPV6_PACKET_TOO_BIG]: "packet too big",
  [ICMPV6_TIME_EXCEEDED]: "time exceeded",
  [ICMPV6_PARAMETER_PROBLEM]: "parameter problem",
  [ICMPV6_ECHO_REQUEST]: "echo request",
  [ICMPV6_ECHO_REPLY]: "echo reply",
  130: "MLD query",
  131: "MLD report",
  132: "MLD done",
  [ICMPV6_ROUTER_SOLICITATION]: "router solicitation",
  [ICMPV6_ROUTER_ADVERTISEMENT]: "router advertisement",
  [ICMPV6_NEIGHBOUR_SOLICITATION]: "neighbour solicitation",
  [ICMPV6_NEIGHBOUR_ADVERTISEMENT]: "neighbour advertisement",
  137: "redirect",
  143: "MLDv2 report",
};

/** The four bytes that every ICMPv6 message starts with. */
export function icmpv6Head(type: number, source: string, codes?: Readonly<Record<number, string>>): Field[] {
  return [
    {
      name: "type",
      title: "type",
      at: 0,
      width: 8,
      format: "decimal",
      short: "kind of message",
      meaning: "Which message: below 128 an error, 128 and 129 echoes, 133 to 137 neighbour discovery.",
      why: "It decides how the rest is read.",
      source,
      ifWrong: "The receiver does not react, or to something else.",
      usual: type,
      names: TYPES,
    },
    {
      name: "code",
      title: "code",
      at: 8,
      width: 8,
      format: "decimal",
      short: "finer kind",
      meaning: "The reason within the type; 0 for echoes and neighbour discovery.",
      why: "Errors have several reasons, and a sender reacts to each in its own way.",
      source,
      ifWrong: "Neighbour discovery with another code than 0 is dropped; errors are misunderstood.",
      ...(codes ? { names: codes } : {}),
    },
    {
      name: "checksum",
      title: "checksum",
      at: 16,
      width: 16,
      format: "checksum",
      short: "addresses to last byte",
      meaning:
        "Ones-complement sum over the addresses, length and next header of IPv6, and the whole message.",
      why: "IPv6 has no checksum of its own, so this one covers the addresses: unlike that of ICMP for IPv4.",
      source: "RFC 4443 section 2.3",
      ifWrong: "The message is dropped without a word.",
    },
  ];
}

const ECHO = "RFC 4443 sections 4.1 and 4.2";

export const ICMPV6_ECHO: HeaderTable = {
  name: "icmpv6-echo",
  title: "ICMPv6 echo",
  kind: "header",
  length: 8,
  fields: [...icmpv6Head(ICMPV6_ECHO_REQUEST, ECHO), ...echoFields(ECHO)],
};

export const ICMPV6_UNREACHABLE_MESSAGE: HeaderTable = {
  name: "icmpv6-unreachable",
  title: "ICMPv6 unreachable",
  kind: "header",
  length: 8,
  fields: [
    ...icmpv6Head(ICMPV6_UNREACHABLE, "RFC 4443 section 3.1", {
      0: "no route",
      1: "prohibited",
      2: "beyond scope",
      3: "address",
      4: "port",
      5: "source policy",
      6: "reject route",
    }),
    reserved("unused", 32, 32, "RFC 4443 section 3.1"),
  ],
};

export const ICMPV6_PACKET_TOO_BIG_MESSAGE: HeaderTable = {
  name: "icmpv6-packet-too-big",
  title: "ICMPv6 packet too big",
  kind: "header",
  length: 8,
  fields: [
    ...icmpv6Head(ICMPV6_PACKET_TOO_BIG, "RFC 4443 section 3.2"),
    {
      name: "mtu",
      title: "MTU",
      at: 32,
      width: 32,
      format: "decimal",
      short: "of the next link",
      meaning: "The largest packet that fits the link which the router could not use.",
      why: "IPv6 routers never fragment: without this message a path with a smaller MTU is a black hole.",
      source: "RFC 4443 section 3.2; use: RFC 8201 section 4",
      ifWrong: "Too large: the next packet is dropped again. Below 1280: ignored.",
      unit: "bytes",
      usual: 1280,
    },
  ],
};

export const ICMPV6_TIME_EXCEEDED_MESSAGE: HeaderTable = {
  name: "icmpv6-time-exceeded",
  title: "ICMPv6 time exceeded",
  kind: "header",
  length: 8,
  fields: [
    ...icmpv6Head(ICMPV6_TIME_EXCEEDED, "RFC 4443 section 3.3", { 0: "in transit", 1: "reassembly" }),
    reserved("unused", 32, 32, "RFC 4443 section 3.3"),
  ],
};

export const ICMPV6_PARAMETER_PROBLEM_MESSAGE: HeaderTable = {
  name: "icmpv6-parameter-problem",
  title: "ICMPv6 parameter problem",
  kind: "header",
  length: 8,
  fields: [
    ...icmpv6Head(ICMPV6_PARAMETER_PROBLEM, "RFC 4443 section 3.4", {
      0: "bad field",
      1: "bad next header",
      2: "bad option",
    }),
    {
      name: "pointer",
      title: "pointer",
      at: 32,
      width: 32,
      format: "decimal",
      short: "place of the mistake",
      meaning: "Where in the quoted packet the mistake is, counted in bytes from its start.",
      why: "Whoever reads the error finds what to repair.",
      source: "RFC 4443 section 3.4",
      ifWrong: "The search starts at the wrong place.",
    },
  ],
};

/** Any other message; what follows the checksum is payload. */
export const ICMPV6: HeaderTable = {
  name: "icmpv6",
  title: "ICMPv6",
  kind: "header",
  length: 4,
  fields: icmpv6Head(143, "RFC 4443 section 2.1"),
};

/** Tables by type, without neighbour discovery. */
export const ICMPV6_MESSAGES: Readonly<Record<number, HeaderTable>> = {
  [ICMPV6_UNREACHABLE]: ICMPV6_UNREACHABLE_MESSAGE,
  [ICMPV6_PACKET_TOO_BIG]: ICMPV6_PACKET_TOO_BIG_MESSAGE,
  [ICMPV6_TIME_EXCEEDED]: ICMPV6_TIME_EXCEEDED_MESSAGE,
  [ICMPV6_PARAMETER_PROBLEM]: ICMPV6_PARAMETER_PROBLEM_MESSAGE,
  [ICMPV6_ECHO_REQUEST]: ICMPV6_ECHO,
  [ICMPV6_ECHO_REPLY]: ICMPV6_ECHO,
};
