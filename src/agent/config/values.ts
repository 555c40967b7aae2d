/**
 * From what somebody wrote to a value: one reader for each kind of setting. A reader gets a scalar (YAML's number or
 * boolean, or text from anywhere) and returns the value, or what is wrong and what would be right.
 */
import type { PortRange } from "../../io/linux/senders.ts";
import { didYouMean } from "./problems.ts";

/** A scalar as YAML, a flag or the environment gives it. */
export type Raw = string | number | boolean | null;

export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string; readonly hint: string };

export type Reader<T> = (raw: Raw) => Reading<T>;

export function good<T>(value: T): Reading<T> {
  return { ok: true, value };
}

export function bad(message: string, hint = ""): Reading<never> {
  return { ok: false, message, hint };
}

/** @returns how a raw value is quoted in a message. */
export function show(raw: Raw): string {
  const text = typeof raw === "string" ? JSON.stringify(raw) : String(raw);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** A whole number from `least` to `most`; text may be decimal or 0x… */
export function wholeNumber(least: number, most: number): Reader<number> {
  const expected = `write a whole number from ${least} to ${most}`;
  return (raw) => {
    const value =
      typeof raw === "string" && /^(\d{1,15}|0x[0-9a-f]{1,12})$/i.test(raw.trim()) ? Number(raw) : raw;
    if (typeof value !== "number" || !Number.isInteger(value)) {
      return bad(`${show(raw)} is no whole number`, expected);
    }
    if (value < least || value > most) return bad(`${value} is out of range`, expected);
    return good(value);
  };
}

/** One of a few words. */
export function oneOf<const W extends string>(words: readonly W[]): Reader<W> {
  return (raw) => {
    // YAML 1.1 writers know `off` as a boolean.
    const text = raw === false ? "off" : typeof raw === "string" ? raw.trim() : String(raw);
    const word = words.find((w) => w === text);
    if (word !== undefined) return good(word);
    const expected = `${show(raw)} is none of ${words.join(", ")}`;
    return bad(expected, didYouMean(text, words));
  };
}

const YES = ["true", "yes", "on", "1"];
const NO = ["false", "no", "off", "0"];

/** Yes or no. */
export const yesOrNo: Reader<boolean> = (raw) => {
  const text = String(raw).trim().toLowerCase();
  if (YES.includes(text)) return good(true);
  if (NO.includes(text)) return good(false);
  return bad(`${show(raw)} is neither true nor false`, "write true or false");
};

/** `reader`, or the word "auto" for null: what poplin finds out by itself. */
export function orAuto<T>(reader: Reader<T>): Reader<T | null> {
  return (raw) => (raw === "auto" ? good(null) : reader(raw));
}

/** A word, or else what `reader` reads. */
export function wordOr<const W extends string, T>(word: W, reader: Reader<T>): Reader<W | T> {
  return (raw) => {
    // YAML 1.1 writers know `off` as a boolean.
    if (raw === word || (raw === false && word === "off")) return good(word);
    const reading = reader(raw);
    if (reading.ok) return reading;
    const typo = typeof raw === "string" ? didYouMean(raw, [word]) : "";
    return bad(reading.message, typo || `${reading.hint}, or \`${word}\``);
  };
}

/** "49152-65535", within `least` to `most`. */
export function portRange(least: number, most: number): Reader<PortRange> {
  const expected = `write the first and the last of them, from ${least} to ${most}, as 49152-65535`;
  return (raw) => {
    const match = /^(\d{1,5})\s*-\s*(\d{1,5})$/.exec(String(raw).trim());
    if (match === null) return bad(`${show(raw)} is no range of ports`, expected);
    const [first, last] = [Number(match[1]), Number(match[2])];
    if (first < least || last > most) return bad(`${show(raw)} is out of range`, expected);
    if (first > last) return bad(`${show(raw)} ends before it starts`, `did you mean ${last}-${first}?`);
    return good({ first, last });
  };
}

const UNITS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["kib", 2 ** 10],
  ["mib", 2 ** 20],
  ["gib", 2 ** 30],
]);

/** A size in bytes: a number, or one with KiB, MiB or GiB. */
export function byteSize(least: number, most: number): Reader<number> {
  const expected = `write bytes, or a number with KiB, MiB or GiB, from ${formatSize(least)} to ${formatSize(most)}`;
  return (raw) => {
    const match = /^(\d{1,12}(?:\.\d{1,6})?)\s*([a-z]*)$/i.exec(String(raw).trim());
    if (match === null) return bad(`${show(raw)} is no size`, expected);
    const unit = match[2]!.toLowerCase();
    const factor = UNITS.get(unit);
    if (factor === undefined) {
      const meant = /^[kmg]b?$/.test(unit)
        ? `did you mean ${match[1]}${unit[0]!.toUpperCase()}iB?`
        : expected;
      return bad(`"${match[2]}" is no unit that poplin knows`, meant);
    }
    const bytes = Number(match[1]) * factor;
    if (!Number.isInteger(bytes)) return bad(`${show(raw)} is no whole number of bytes`, expected);
    if (bytes < least || bytes > most) return bad(`${show(raw)} is out of range`, expected);
    return good(bytes);
  };
}

/** @returns bytes as `byteSize` reads them, in the largest unit that divides them. */
export function formatSize(bytes: number): string {
  if (bytes > 0 && bytes % 2 ** 30 === 0) return `${bytes / 2 ** 30}GiB`;
  if (bytes > 0 && bytes % 2 ** 20 === 0) return `${bytes / 2 ** 20}MiB`;
  if (bytes > 0 && bytes % 2 ** 10 === 0) return `${bytes / 2 ** 10}KiB`;
  return String(bytes);
}
