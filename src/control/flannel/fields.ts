/**
 * Values out of JSON as Go's encoding/json takes them into a struct: keys in any case, unknown ones ignored, null as if
 * nothing were there, and a value of another type a mistake. Mistakes are collected, so that a file is corrected once.
 */
import { type Cidr, type Family, parseCidr } from "../address.ts";

/** Something that cannot be, in words: what is wrong, and what to write instead. */
export interface Problem {
  readonly message: string;
  readonly remedy: string;
}

/** The fields of one JSON object, by their names in lower case. */
export type Fields = ReadonlyMap<string, unknown>;

/** @returns the fields of an object; of a key in two spellings the last counts, as for Go. Null where it is none. */
export function fieldsOf(value: unknown): Fields | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  return new Map(Object.entries(value).map(([key, each]) => [key.toLowerCase(), each as unknown]));
}

/** @throws Error saying, on one line, why a text is no JSON */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`it is no JSON: ${(error as Error).message.replace(/\s+/g, " ")}`);
  }
}

/** @returns a value in a message: short, on one line, and never an error, however deep it is nested */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** Takes fields, and notes what is wrong with them. What it returns where something is wrong is only a filler. */
export class FieldReader {
  readonly problems: Problem[] = [];

  problem(message: string, remedy: string): void {
    this.problems.push({ message, remedy });
  }

  /** @param at the path to the object that has the field, as "Backend." */
  flag(fields: Fields, key: string, fallback: boolean, at = ""): boolean {
    const value = fields.get(key.toLowerCase()) ?? fallback;
    if (typeof value === "boolean") return value;
    this.problem(`${at}${key} is ${shown(value)}`, "write true or false, without quotes");
    return fallback;
  }

  /** A whole number from 0 to `most`. */
  number(fields: Fields, key: string, fallback: number, most: number, at = ""): number {
    const value = fields.get(key.toLowerCase()) ?? fallback;
    if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most) return value;
    this.problem(`${at}${key} is ${shown(value)}`, `write a whole number from 0 to ${most}, without quotes`);
    return fallback;
  }

  text(fields: Fields, key: string, at = ""): string {
    const value = fields.get(key.toLowerCase()) ?? "";
    if (typeof value === "string") return value;
    this.problem(`${at}${key} is ${shown(value)}`, "write text, in quotes");
    return "";
  }

  /** Host bits are allowed, and cleared, as flannel masks them off. @returns null where it is none of that family */
  network(text: string, key: string, family: Family): Cidr | null {
    try {
      const cidr = parseCidr(text);
      if (cidr.family === family) return parseCidr(`${cidr.network}/${cidr.prefix}`);
      this.problem(`${key} is ${shown(text)}`, `write an IPv${family} network`);
    } catch (error) {
      const { remedy } = error as { remedy?: string };
      this.problem(
        `${key} is ${shown(text)}`,
        remedy || `write an IPv${family} network, as ${EXAMPLE[family]}`,
      );
    }
    return null;
  }
}

/** Networks of all pods, as they might be. */
export const EXAMPLE: Readonly<Record<Family, string>> = { 4: "10.244.0.0/16", 6: "fd00:10:244::/48" };
