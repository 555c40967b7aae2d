/**
 * What the page shows, and how it changes. Everything that is seen follows from this: the packet, what it was before it was
 * changed, and what is pinned. The URL holds it, so that a link shows the same (`link.ts`).
 */
import { EXAMPLES, type ExampleName } from "../teach/examples.ts";
import { type Explanation, explain, fieldsOf } from "../teach/explanation.ts";
import { type GuessedLayer, guessLayer } from "../teach/guess.ts";
import { addresseeOf } from "../teach/judge/judge.ts";
import type { Receiver } from "../teach/judge/judgement.ts";
import { repairChecksums } from "../teach/repair.ts";
import { parseValue } from "../teach/value.ts";
import { fromHex, putBits } from "../wire/index.ts";

export interface State {
  /** "the example ping", "pasted", "packet 3 of capture.pcap". */
  readonly title: string;
  /** As it was loaded. */
  readonly original: Uint8Array;
  /** As it is now. */
  readonly bytes: Uint8Array;
  readonly layer: GuessedLayer;
  /** Whether checksums are put right after a change. */
  readonly repair: boolean;
  /** The id of the field whose explanation is shown; "" for none. */
  readonly pinned: string;
}

export type Action =
  | {
      readonly kind: "load";
      readonly title: string;
      readonly bytes: Uint8Array;
      readonly layer?: GuessedLayer;
    }
  | { readonly kind: "layer"; readonly layer: GuessedLayer }
  | { readonly kind: "repair"; readonly repair: boolean }
  | { readonly kind: "pin"; readonly id: string }
  /** Bits of the packet get another value. */
  | { readonly kind: "bits"; readonly bit: number; readonly width: number; readonly value: number }
  /** A field gets a value as people write it. Reads it first: `valueProblem`. */
  | { readonly kind: "field"; readonly id: string; readonly text: string }
  | { readonly kind: "reset" }
  /** Somebody has followed a link. */
  | { readonly kind: "become"; readonly state: State };

export function exampleState(name: ExampleName): State {
  const { bytes } = EXAMPLES[name];
  return {
    title: `the example ${name}`,
    original: bytes,
    bytes,
    layer: "ethernet",
    repair: true,
    pinned: "",
  };
}

export function next(state: State, action: Action): State {
  switch (action.kind) {
    case "load": {
      const { title, bytes } = action;
      const layer = action.layer ?? guessLayer(bytes).layer;
      return { ...state, title, original: bytes, bytes, layer, pinned: "" };
    }
    case "layer":
      return { ...state, layer: action.layer, pinned: "" };
    case "repair":
      return { ...state, repair: action.repair };
    case "pin":
      return { ...state, pinned: action.id };
    case "bits":
      return changed(state, action.bit, action.width, action.value);
    case "field": {
      const field = fieldsOf(explained(state)).find(({ id }) => id === action.id);
      if (field === undefined) return state;
      return changed(state, field.bit, field.width, parseValue(field, action.text));
    }
    case "reset":
      return { ...state, bytes: state.original };
    case "become":
      return action.state;
  }
}

/** Why a text is no value of a field; "" where it is one. */
export function valueProblem(state: State, id: string, text: string): string {
  try {
    next(state, { kind: "field", id, text });
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

function changed(state: State, bit: number, width: number, value: number | string): State {
  const bytes = state.bytes.slice();
  if (typeof value === "number") putBits(bytes, bit, width, value);
  else bytes.set(fromHex(value), bit / 8);
  if (state.repair) repairChecksums(bytes, { layer: state.layer }, checksumsWithin(state, bit, width));
  return { ...state, bytes };
}

/** Checksums that somebody has just written into: those stay as they are. */
function checksumsWithin(state: State, bit: number, width: number): Set<number> {
  const fields = fieldsOf(explained(state)).filter(({ format }) => format === "checksum");
  return new Set(
    fields
      .filter((field) => field.bit < bit + width && bit < field.bit + field.width)
      .map((field) => field.bit),
  );
}

let last: {
  readonly bytes: Uint8Array;
  readonly layer: GuessedLayer;
  readonly explanation: Explanation;
} | null = null;

/** The packet explained; the last one is remembered. */
export function explained({ bytes, layer }: Pick<State, "bytes" | "layer">): Explanation {
  if (last?.bytes !== bytes || last.layer !== layer)
    last = { bytes, layer, explanation: explain(bytes, { layer }) };
  return last.explanation;
}

/** Whom the packet was for before it was changed. */
export function receiverOf({ original, layer }: State): Receiver {
  return addresseeOf(explain(original, { layer }));
}

/** The fields that have bits in a byte. */
export function fieldsAt(explanation: Explanation, at: number): string[] {
  return fieldsOf(explanation)
    .filter(({ bit, width }) => bit < at * 8 + 8 && bit + width > at * 8)
    .map(({ id }) => id);
}
