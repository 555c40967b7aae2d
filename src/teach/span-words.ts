/** What there is to say of bytes that no table describes. */
import type { Field, SpanPart } from "../wire/index.ts";

type Words = Pick<Field, "short" | "meaning" | "why" | "source" | "ifWrong">;

/** By kind; a % in the meaning stands for what the bytes are. */
export const SPAN_WORDS: Readonly<Record<SpanPart["kind"], Words>> = {
  payload: {
    short: "what is carried",
    meaning: "%: what all the headers before are there for.",
    why: "No header in front of it looks into it. A tunnel carries it as it is.",
    source: "whoever sent it",
    ifWrong: "Only the program that it is for can tell; a checksum before it finds flipped bits.",
  },
  padding: {
    short: "filler, ignored",
    meaning: "Filler, %. The receiver stops where the packet says that it ends.",
    why: "An Ethernet frame has at least 60 bytes without its check sequence; what is shorter is filled up.",
    source: "IEEE 802.3 clause 3.2.8",
    ifWrong: "Nothing. Old cards filled it with what was left in memory, which gave secrets away.",
  },
  unexplained: {
    short: "no header explains it",
    meaning: "No header accounts for these bytes: %.",
    why: "Shown because they are there: what nothing explains is often where a mistake is.",
    source: "none",
    ifWrong: "Whatever it is, the receiver does not know it either.",
  },
};
