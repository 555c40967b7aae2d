/** Options of neighbour discovery (RFC 4861 section 4.6). Their length counts units of 8 bytes. */
import type { Field, HeaderTable } from "./field.ts";
import { optionData, optionLength, optionType, reserved } from "./options.ts";

const LINK_ADDRESS = "RFC 4861 section 4.6.1";

function linkAddress(name: string, title: string, type: number, whose: string): HeaderTable {
  return {
    name,
    title,
    kind: "option",
    length: 8,
    fields: [
      optionType(type, whose, LINK_ADDRESS, `${type}: ${whose}.`),
      optionLength(1, LINK_ADDRESS, "eights"),
      {
        name: "mac",
        title: "MAC",
        at: 16,
        width: 48,
        format: "mac",
        short: whose,
        meaning: "The link address, on Ethernet six bytes.",
        why: "It is what the neighbour table needs: this is the answer, or saves the other end a question of its own.",
        source: "RFC 4861 section 4.6.1; Ethernet: RFC 2464 section 6",
        ifWrong: "The neighbour's entry is wrong and its packets go to another host, or nowhere.",
      },
    ],
  };
}

export const ND_OPTION_SOURCE_LINK_ADDRESS = linkAddress(
  "nd-source-link-address",
  "source link address",
  1,
  "the sender's MAC",
);
export const ND_OPTION_TARGET_LINK_ADDRESS = linkAddress(
  "nd-target-link-address",
  "target link address",
  2,
  "the target's MAC",
);

const PREFIX = "RFC 4861 section 4.6.2";

function lifetime(name: string, title: string, at: number, short: string, meaning: string): Field {
  return {
    name,
    title,
    at,
    width: 32,
    format: "decimal",
    short,
    meaning,
    why: "A network can be renumbered: old addresses fade out while new ones come in.",
    source: PREFIX,
    ifWrong: "Too short: addresses disappear under running connections. Too long: dead ones stay in use.",
    unit: "seconds",
    names: { 4294967295: "for ever" },
  };
}

export const ND_OPTION_PREFIX: HeaderTable = {
  name: "nd-prefix",
  title: "prefix information",
  kind: "option",
  length: 32,
  fields: [
    optionType(3, "a prefix of this link", PREFIX, "3: prefix information."),
    optionLength(4, PREFIX, "eights"),
    {
      name: "prefixLength",
      title: "prefix length",
      at: 16,
      width: 8,
      format: "decimal",
      short: "bits that count",
      meaning: "How many leading bits of the prefix count; 64 wherever hosts make their own addresses.",
      why: "The rest of the address is the host's to choose.",
      source: PREFIX,
      ifWrong: "Not 64: hosts do not form addresses from it.",
      usual: 64,
      unit: "bits",
    },
    {
      name: "onLink",
      title: "L",
      at: 24,
      width: 1,
      format: "flag",
      short: "prefix is on this link",
      meaning: "Set: addresses of this prefix are neighbours, reached without a router.",
      why: "Having an address of a prefix does not say that the others are on the same link.",
      source: PREFIX,
      ifWrong: "Set where they are not: neighbours are asked for in vain.",
    },
    {
      name: "autonomous",
      title: "A",
      at: 25,
      width: 1,
      format: "flag",
      short: "hosts form addresses",
      meaning: "Set: hosts may make their own addresses from this prefix.",
      why: "Addresses without a server.",
      source: "RFC 4861 section 4.6.2; use: RFC 4862 section 5.5.3",
      ifWrong: "Hosts have no address, or ones the network does not want.",
    },
    reserved("reserved1", 26, 6, PREFIX),
    lifetime(
      "validLifetime",
      "valid for",
      32,
      "lifetime of addresses",
      "Seconds for which addresses of this prefix exist.",
    ),
    lifetime(
      "preferredLifetime",
      "preferred for",
      64,
      "for new connections",
      "Seconds for which new connections should use addresses of this prefix.",
    ),
    reserved("reserved2", 96, 32, PREFIX),
    {
      name: "prefix",
      title: "prefix",
      at: 128,
      width: 128,
      format: "ipv6",
      short: "first bits of addresses",
      meaning: "The prefix; bits beyond its length are zero.",
      why: "What the option is about.",
      source: PREFIX,
      ifWrong: "Hosts form addresses that no router sends here.",
    },
  ],
};

export const ND_OPTION_MTU: HeaderTable = {
  name: "nd-mtu",
  title: "MTU",
  kind: "option",
  length: 8,
  fields: [
    optionType(5, "MTU of this link", "RFC 4861 section 4.6.4", "5: MTU."),
    optionLength(1, "RFC 4861 section 4.6.4", "eights"),
    reserved("reserved", 16, 16, "RFC 4861 section 4.6.4"),
    {
      name: "mtu",
      title: "MTU",
      at: 32,
      width: 32,
      format: "decimal",
      short: "for all on this link",
      meaning: "The MTU that all hosts of this link shall use.",
      why: "Hosts behind bridges of different MTU cannot know the smallest. An overlay can announce its own this way.",
      source: "RFC 4861 section 4.6.4",
      ifWrong: "Too large: large packets vanish on the link. Below 1280: ignored.",
      unit: "bytes",
      usual: 1450,
    },
  ],
};

/** Any other option. */
export const ND_OPTION: HeaderTable = {
  name: "nd-option",
  title: "option",
  kind: "option",
  length: 2,
  fields: [
    optionType(
      14,
      "which option",
      "RFC 4861 section 4.6",
      "Types are registered with IANA; unknown ones are skipped.",
    ),
    optionLength(1, "RFC 4861 section 4.6", "eights"),
    optionData("RFC 4861 section 4.6"),
  ],
};

/** Tables by type; what is not here is an `ND_OPTION`. */
export const ND_OPTIONS: Readonly<Record<number, HeaderTable>> = {
  1: ND_OPTION_SOURCE_LINK_ADDRESS,
  2: ND_OPTION_TARGET_LINK_ADDRESS,
  3: ND_OPTION_PREFIX,
  5: ND_OPTION_MTU,
};
