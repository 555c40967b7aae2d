/** What the options of several headers have in common: a type byte, a length byte, and the rest. */
import type { Field } from "./field.ts";

/** The type byte an option starts with. */
export function optionType(type: number, name: string, source: string, meaning: string): Field {
  return {
    name: "type",
    title: "type",
    at: 0,
    width: 8,
    format: "decimal",
    short: name,
    meaning,
    why: "Options come in any order and number; each says which one it is.",
    source,
    ifWrong: "The receiver takes it for another option, or skips it as one that it does not know.",
    usual: type,
  };
}

/** What a length byte counts. Each protocol has its own way. */
export type LengthCounts = "option" | "data" | "eights";

const LENGTHS: Readonly<Record<LengthCounts, Pick<Field, "short" | "meaning" | "unit" | "scale">>> = {
  option: {
    short: "of the whole option",
    meaning: "Bytes in this option, type and length byte included.",
    unit: "bytes",
  },
  data: {
    short: "of what follows it",
    meaning: "Bytes of data in this option, type and length byte not counted.",
    unit: "bytes",
  },
  eights: {
    short: "of the whole option",
    meaning: "Length of this option in units of 8 bytes, type and length byte included. 0 is an error.",
    unit: "bytes",
    scale: 8,
  },
};

/** The length byte that follows; `usual` is in its own units. */
export function optionLength(usual: number, source: string, counts: LengthCounts = "option"): Field {
  return {
    name: "length",
    title: "length",
    at: 8,
    width: 8,
    format: "decimal",
    ...LENGTHS[counts],
    why: "A receiver that does not know the option can still find the one after it.",
    source,
    ifWrong: "Everything after it is read from the wrong place; a strict receiver drops the packet.",
    usual,
  };
}

/** The bytes of an option that has no table of its own. */
export function optionData(source: string): Field {
  return {
    name: "data",
    title: "data",
    at: 16,
    width: "rest",
    format: "bytes",
    short: "as the type says",
    meaning: "What the option carries; its type decides how to read it.",
    why: "New options must not need a new header.",
    source,
    ifWrong: "Only who uses the option notices.",
  };
}

/** Bytes or bits that nobody uses. @param ifWrong where somebody minds */
export function reserved(
  name: string,
  at: number,
  width: number,
  source: string,
  ifWrong = "Nothing today. A later standard may give the bits a meaning.",
): Field {
  return {
    name,
    title: "reserved",
    at,
    width,
    format: width === 1 ? "flag" : "hex",
    short: "zero, and ignored",
    meaning: "Not used: sent as zero, ignored by the receiver.",
    why: "Space for what comes later, and for the alignment of what follows.",
    source,
    ifWrong,
  };
}
