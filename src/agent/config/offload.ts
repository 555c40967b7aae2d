/**
 * The setting `offload`: words as `tap-tso=off`, the later refining the earlier, starting from what is usually on.
 * `all=off` stands for each of them, `all=on` for the usual ones.
 */
import {
  everyOffload,
  OFFLOAD_NAMES,
  type OffloadName,
  type Offloads,
  usualOffloads,
} from "../../dataplane/offloads.ts";
import { didYouMean } from "./problems.ts";
import { bad, good, type Reader, show, yesOrNo } from "./values.ts";

/** One word of it. */
export interface OffloadSwitch {
  readonly name: OffloadName | "all";
  readonly on: boolean;
}

const NAMES: readonly OffloadSwitch["name"][] = [...OFFLOAD_NAMES, "all"];

/** Reads "tap-tso=off". */
export const offloadSwitch: Reader<OffloadSwitch> = (raw) => {
  const [before, after, ...more] = String(raw).split("=");
  const word = before!.trim();
  const name = NAMES.find((one) => one === word);
  if (name === undefined) {
    const hint = didYouMean(word, NAMES) || `there are ${NAMES.join(", ")}`;
    return bad(`${show(word)} is no offload`, hint);
  }
  const value = yesOrNo(after?.trim() ?? "");
  if (!value.ok || more.length > 0) {
    return bad(`${show(raw)} does not say on or off`, `write ${name}=off or ${name}=on`);
  }
  return good({ name, on: value.value });
};

/** What the words come to. */
export function switchOffloads(words: readonly OffloadSwitch[]): Offloads {
  let result = usualOffloads();
  for (const { name, on } of words) {
    if (name === "all") result = on ? usualOffloads() : everyOffload(false);
    else result = { ...result, [name]: on };
  }
  return result;
}

/** @returns the shortest words that come to the same */
export function formatOffloads(offloads: Offloads): string {
  if (!OFFLOAD_NAMES.some((name) => offloads[name])) return "all=off";
  const usual = usualOffloads();
  const other = OFFLOAD_NAMES.filter((name) => offloads[name] !== usual[name]);
  if (other.length === 0) return "all=on";
  return other.map((name) => `${name}=${offloads[name] ? "on" : "off"}`).join(",");
}
