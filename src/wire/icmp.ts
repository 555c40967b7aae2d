/** ICMP for IPv4: four bytes that all messages share, and four whose meaning depends on the type. */
import type { Field, HeaderTable } from "./field.ts";
import { reserved } from "./options.ts";

export const ICMP_ECHO_REPLY = 0;
export const ICMP_UNREACHABLE = 3;
export const ICMP_REDIRECT = 5;
export const ICMP_ECHO_REQUEST = 8;
export const ICMP_TIME_EXCEEDED = 11;
export const ICMP_PARAMETER_PROBLEM = 12;
/** Code of "unreachable": larger than the next link's MTU, and DF is set. */
export const ICMP_FRAGMENTATION_NEEDED = 4;

const TYPES: Readonly<Record<number, string>> = {
  [ICMP_ECHO_REPLY]: "echo reply",
  [ICMP_UNREACHABLE]: "unreachable",
  [ICMP_REDIRECT]: "redirect",
  [ICMP_ECHO_REQUEST]: "echo request",
  [ICMP_TIME_EXCEEDED]: "time exceeded",
  [ICMP_PARAMETER_PROBLEM]: "parameter problem",
};
const UNREACHABLE_CODES: Readonly<Record<number, string>> = {
  0: "net",
  1: "host",
  2: "protocol",
  3: "port",
  4: "fragmentation needed",
  10: "host prohibited",
  13: "filtered",
};
const TIME_EXCEEDED_CODES: Readonly<Record<number, string>> = { 0: "in transit", 1: "reassembly" };

function head(type: number, source: string, codes?: Readonly<Record<number, string>>): Field[] {
  return [
    {
      name: "type",
      title: "type",
      at: 0,
      width: 8,
      format: "decimal",
      short: "kind of message",
      meaning: "Which message: 8 asks for an echo, 0 is the echo, 3 unreachable, 11 time exceeded.",
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
      meaning: "The reason within the type; 0 for echoes.",
      why: "Unreachable has many reasons, and a sender reacts to each in its own way.",
      source,
      ifWrong:
        "The sender draws the wrong conclusion: it closes a connection instead of sending smaller packets.",
      ...(codes ? { names: codes } : {}),
    },
    {
      name: "checksum",
      title: "checksum",
      at: 16,
      width: 16,
      format: "checksum",
      short: "over the ICMP message",
      meaning: "Ones-complement sum over the whole ICMP message; no pseudo-header, unlike UDP and TCP.",
      why: "It finds flipped bits.",
      source,
      ifWrong: "The message is dropped without a word.",
    },
  ];
}

const ECHO = "RFC 792, Echo or Echo Reply Message";

/** The two numbers of echo messages, the same in ICMP and ICMPv6. */
export function echoFields(source: string): Field[] {
  return [
    {
      name: "identifier",
      title: "identifier",
      at: 32,
      width: 16,
      format: "decimal",
      short: "which ping program",
      meaning: "Chosen by the asking program and sent back unchanged.",
      why: "Several pings can run at once; by it each finds its own echoes.",
      source,
      ifWrong: "The program does not take the echo for its own.",
      usual: 1,
    },
    {
      name: "sequence",
      title: "sequence",
      at: 48,
      width: 16,
      format: "decimal",
      short: "which ping of it",
      meaning: "Counts the requests, and is sent back unchanged.",
      why: "Loss and reordering show in the gaps.",
      source,
      ifWrong: "The program counts a loss and a duplicate.",
      usual: 1,
    },
  ];
}

export const ICMP_ECHO: HeaderTable = {
  name: "icmp-echo",
  title: "ICMP echo",
  kind: "header",
  length: 8,
  fields: [...head(ICMP_ECHO_REQUEST, ECHO), ...echoFields(ECHO)],
};

const UNREACHABLE = "RFC 792, Destination Unreachable Message";

export const ICMP_UNREACHABLE_MESSAGE: HeaderTable = {
  name: "icmp-unreachable",
  title: "ICMP unreachable",
  kind: "header",
  length: 8,
  fields: [
    ...head(ICMP_UNREACHABLE, UNREACHABLE, UNREACHABLE_CODES),
    reserved("unused", 32, 16, UNREACHABLE),
    {
      name: "nextHopMtu",
      title: "next-hop MTU",
      at: 48,
      width: 16,
      format: "decimal",
      short: "with code 4 only",
      meaning: "With code 4: the largest packet that fits the link which the router could not use. Else 0.",
      why: "The sender learns the path MTU at once instead of by trying.",
      source: "RFC 1191 section 4",
      ifWrong: "0: the sender has to guess. Too small: slow. Too large: the next packet is dropped again.",
      unit: "bytes",
    },
  ],
};

const REDIRECT = "RFC 792, Redirect Message";

export const ICMP_REDIRECT_MESSAGE: HeaderTable = {
  name: "icmp-redirect",
  title: "ICMP redirect",
  kind: "header",
  length: 8,
  fields: [
    ...head(ICMP_REDIRECT, REDIRECT, { 0: "net", 1: "host", 2: "TOS and net", 3: "TOS and host" }),
    {
      name: "gateway",
      title: "gateway",
      at: 32,
      width: 32,
      format: "ipv4",
      short: "the better router",
      meaning: "The router on the same link that should be used for the quoted packet's destination.",
      why: "It saves the detour through the router that sent this.",
      source: REDIRECT,
      ifWrong:
        "Traffic goes to a router that cannot pass it on, or to an attacker: many hosts ignore redirects.",
    },
  ],
};

const TIME_EXCEEDED = "RFC 792, Time Exceeded Message";

export const ICMP_TIME_EXCEEDED_MESSAGE: HeaderTable = {
  name: "icmp-time-exceeded",
  title: "ICMP time exceeded",
  kind: "header",
  length: 8,
  fields: [
    ...head(ICMP_TIME_EXCEEDED, TIME_EXCEEDED, TIME_EXCEEDED_CODES),
    reserved("unused", 32, 32, TIME_EXCEEDED),
  ],
};

const MESSAGE = "RFC 792, Message Formats";

/** Any other message. */
export const ICMP: HeaderTable = {
  name: "icmp",
  title: "ICMP",
  kind: "header",
  length: 8,
  fields: [
    ...head(ICMP_PARAMETER_PROBLEM, MESSAGE),
    {
      name: "rest",
      title: "rest of header",
      at: 32,
      width: 32,
      format: "hex",
      short: "as the type says",
      meaning: "Four bytes whose meaning depends on the type.",
      why: "Each message has a word of its own to say.",
      source: MESSAGE,
      ifWrong: "Depends on the type.",
    },
  ],
};

/** Tables by type; what is not here is an `ICMP`. */
export const ICMP_MESSAGES: Readonly<Record<number, HeaderTable>> = {
  [ICMP_ECHO_REPLY]: ICMP_ECHO,
  [ICMP_UNREACHABLE]: ICMP_UNREACHABLE_MESSAGE,
  [ICMP_REDIRECT]: ICMP_REDIRECT_MESSAGE,
  [ICMP_ECHO_REQUEST]: ICMP_ECHO,
  [ICMP_TIME_EXCEEDED]: ICMP_TIME_EXCEEDED_MESSAGE,
};

/** Messages that quote the packet which caused them. */
export const ICMP_ERRORS: ReadonlySet<number> = new Set([
  ICMP_UNREACHABLE,
  ICMP_REDIRECT,
  ICMP_TIME_EXCEEDED,
  ICMP_PARAMETER_PROBLEM,
]);
