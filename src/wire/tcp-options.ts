/** Options of the TCP header: what both ends agree on in SYN, and what later segments repeat. */
import type { HeaderTable } from "./field.ts";
import { optionData, optionLength, optionType } from "./options.ts";

const SOURCE = "RFC 9293 section 3.2";

export const TCP_OPTION_END: HeaderTable = {
  name: "tcp-end",
  title: "end of options",
  kind: "option",
  length: 1,
  fields: [optionType(0, "no more options", SOURCE, "0: what is left of the header is padding.")],
};

export const TCP_OPTION_NOP: HeaderTable = {
  name: "tcp-nop",
  title: "no operation",
  kind: "option",
  length: 1,
  fields: [optionType(1, "filler", SOURCE, "1: a filler, so that the next option is aligned.")],
};

export const TCP_OPTION_MSS: HeaderTable = {
  name: "tcp-mss",
  title: "maximum segment size",
  kind: "option",
  length: 4,
  fields: [
    optionType(2, "largest segment", "RFC 9293 section 3.7.1", "2: maximum segment size; in SYN only."),
    optionLength(4, "RFC 9293 section 3.7.1"),
    {
      name: "mss",
      title: "MSS",
      at: 16,
      width: 16,
      format: "decimal",
      short: "payload it can take",
      meaning:
        "Most payload bytes, without TCP and IP headers, that the sender wants in one segment: MTU − 40 for IPv4.",
      why: "Segments of this size need no fragmentation on the sender's link. With an overlay MTU of 1450 it is 1410.",
      source: "RFC 9293 section 3.7.1; RFC 6691 section 2",
      ifWrong:
        "Too large: segments do not fit the tunnel and vanish where ICMP is filtered. Too small: more packets.",
      unit: "bytes",
      usual: 1410,
    },
  ],
};

export const TCP_OPTION_WINDOW_SCALE: HeaderTable = {
  name: "tcp-window-scale",
  title: "window scale",
  kind: "option",
  length: 3,
  fields: [
    optionType(3, "larger windows", "RFC 7323 section 2.2", "3: window scale; in SYN only."),
    optionLength(3, "RFC 7323 section 2.2"),
    {
      name: "shift",
      title: "shift",
      at: 16,
      width: 8,
      format: "decimal",
      short: "bits to shift window",
      meaning:
        "How many bits to the left the window field of the sender's later segments is to be shifted, up to 14.",
      why: "65,535 bytes in flight are too few for a fast or long path.",
      source: "RFC 7323 section 2.2",
      ifWrong: "The other end takes the window for far too small or too large.",
      usual: 7,
    },
  ],
};

export const TCP_OPTION_SACK_PERMITTED: HeaderTable = {
  name: "tcp-sack-permitted",
  title: "SACK permitted",
  kind: "option",
  length: 2,
  fields: [
    optionType(4, "SACK understood", "RFC 2018 section 2", "4: the sender understands SACK; in SYN only."),
    optionLength(2, "RFC 2018 section 2"),
  ],
};

export const TCP_OPTION_SACK: HeaderTable = {
  name: "tcp-sack",
  title: "selective acknowledgment",
  kind: "option",
  length: 2,
  fields: [
    optionType(5, "received beyond a gap", "RFC 2018 section 3", "5: selective acknowledgment."),
    optionLength(10, "RFC 2018 section 3"),
    {
      name: "blocks",
      title: "blocks",
      at: 16,
      width: "rest",
      format: "bytes",
      short: "pairs from, to",
      meaning:
        "Up to four pairs of 32-bit numbers: first byte of what has arrived beyond a gap, and the byte after its last.",
      why: "After a loss only what is missing is sent again, not all that follows it.",
      source: "RFC 2018 section 3",
      ifWrong: "Data that has arrived is sent again, or what is missing is not.",
    },
  ],
};

export const TCP_OPTION_TIMESTAMPS: HeaderTable = {
  name: "tcp-timestamps",
  title: "timestamps",
  kind: "option",
  length: 10,
  fields: [
    optionType(
      8,
      "clock of the sender",
      "RFC 7323 section 3.2",
      "8: timestamps; in all segments once both sent it in SYN.",
    ),
    optionLength(10, "RFC 7323 section 3.2"),
    {
      name: "value",
      title: "value (TSval)",
      at: 16,
      width: 32,
      format: "decimal",
      short: "clock of the sender",
      meaning: "The sender's timestamp clock; Linux counts milliseconds from a random start.",
      why: "Old duplicates are recognized by it when sequence numbers have wrapped around.",
      source: "RFC 7323 section 3.2",
      ifWrong: "Smaller than the last one: the segment is taken for an old duplicate and dropped.",
    },
    {
      name: "echo",
      title: "echo (TSecr)",
      at: 48,
      width: 32,
      format: "decimal",
      short: "clock of the peer",
      meaning: "The peer's value, sent back.",
      why: "The peer measures the round-trip time with every acknowledgment.",
      source: "RFC 7323 section 3.2",
      ifWrong: "The peer measures nonsense and sends again too early or too late.",
    },
  ],
};

/** Any other option. */
export const TCP_OPTION: HeaderTable = {
  name: "tcp-option",
  title: "option",
  kind: "option",
  length: 2,
  fields: [
    optionType(
      254,
      "which option",
      SOURCE,
      "Kinds are registered with IANA; 253 and 254 are for experiments.",
    ),
    optionLength(2, SOURCE),
    optionData(SOURCE),
  ],
};

/** Tables by kind; what is not here is a `TCP_OPTION`. */
export const TCP_OPTIONS: Readonly<Record<number, HeaderTable>> = {
  0: TCP_OPTION_END,
  1: TCP_OPTION_NOP,
  2: TCP_OPTION_MSS,
  3: TCP_OPTION_WINDOW_SCALE,
  4: TCP_OPTION_SACK_PERMITTED,
  5: TCP_OPTION_SACK,
  8: TCP_OPTION_TIMESTAMPS,
};
