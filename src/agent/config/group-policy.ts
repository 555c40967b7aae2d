/** The setting `gbp`: `off`, `on`, or the group policy that all we send carries, as `100` or `100,dontLearn,applied`. */
import type { GroupPolicy } from "../../wire/vxlan.ts";
import { didYouMean } from "./problems.ts";
import { bad, good, type Reader, show, wholeNumber } from "./values.ts";

const EXPECTED =
  "write `off`, `on`, or a group from 0 to 65535, with `dontLearn` and `applied` after commas where they are to be set";
const WORDS = ["dontLearn", "applied"];
const group = wholeNumber(0, 0xffff);

/** Reads it. `on` is group 0 and no flag: nothing is said in what we send, and what comes is understood. */
export const groupPolicy: Reader<"off" | GroupPolicy> = (raw) => {
  const text = String(raw).trim();
  if (text === "off" || raw === false) return good("off");
  const [first, ...flags] = (text === "on" || raw === true ? "0" : text)
    .split(",")
    .map((word) => word.trim());
  const id = group(first!);
  if (!id.ok) return bad(`${show(raw)} is no group policy: ${id.message}`, EXPECTED);
  const unknown = flags.find((word) => !WORDS.includes(word));
  if (unknown !== undefined) {
    return bad(`${show(raw)} has ${show(unknown)} in it`, didYouMean(unknown, WORDS) || EXPECTED);
  }
  const [dontLearn, applied] = WORDS.map((word) => flags.includes(word));
  return good({ group: id.value, dontLearn: dontLearn!, applied: applied! });
};

/** The shortest text that reads to the same. */
export function formatGroupPolicy(policy: "off" | GroupPolicy): string {
  if (policy === "off") return policy;
  const { group, dontLearn, applied } = policy;
  const flags = [dontLearn && "dontLearn", applied && "applied"].filter((word) => word !== false);
  return group === 0 && flags.length === 0 ? "on" : [group, ...flags].join(",");
}
