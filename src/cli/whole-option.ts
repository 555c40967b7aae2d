/** Options that are whole numbers. */
import { InvalidArgumentError } from "commander";
import { wholeNumber } from "../agent/config/values.ts";

/** @returns a reader of an option's value, which says what is wrong with one that is no number in the range */
export function wholeOption(least: number, most: number): (text: string) => number {
  const read = wholeNumber(least, most);
  return (text) => {
    const reading = read(text);
    if (reading.ok) return reading.value;
    throw new InvalidArgumentError(`${reading.message}; ${reading.hint}.`);
  };
}
