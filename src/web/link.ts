/**
 * The state as the part of a URL after #, and back. An example that nobody has changed is its name; any other packet is its
 * bytes, in base64 as URLs have it (RFC 4648 section 5).
 *
 *   #ping   #ping&field=vxlan.vni   #walk=5   #bytes=CAAAAAAAAQA&layer=udp-payload&was=…
 */
import { EXAMPLES, type ExampleName } from "../teach/examples.ts";
import { type GuessedLayer, guessLayer, LAYER_WORDS } from "../teach/guess.ts";
import { exampleState, type State } from "./state.ts";
import { hopTitle, RECORDED } from "./walk.tsx";

/** Largest packet in a link: browsers take more, mail programs less. */
const MOST_BYTES = 9216;

export function linkOf({ original, bytes, layer, pinned, repair, title }: State): string {
  const words: string[] = [];
  const example = exampleOf(original);
  const hop = RECORDED.hops.findIndex(({ bytes: seen }) => seen === original);
  if (example !== null) words.push(example);
  else if (hop >= 0) words.push(`walk=${hop + 1}`);
  else words.push(`was=${encode(original)}`, `title=${encodeURIComponent(title)}`);
  if (bytes !== original) words.push(`bytes=${encode(bytes)}`);
  if (layer !== "ethernet") words.push(`layer=${layer}`);
  if (!repair) words.push("broken");
  if (pinned !== "") words.push(`field=${pinned}`);
  return `#${words.join("&")}`;
}

/** Never throws: what a link does not say, or says wrong, is as it is at first. */
export function stateOf(link: string): State {
  const words = link.replace(/^#/, "").split("&");
  const values = new Map(words.map((word) => [word.split("=", 1)[0]!, word.slice(word.indexOf("=") + 1)]));
  const name = words.find((word): word is ExampleName => Object.hasOwn(EXAMPLES, word));
  const was = decode(values.get("was"));
  const first = hopState(values.get("walk")) ?? exampleState(name ?? "ping");
  const original = was ?? first.original;
  const bytes = decode(values.get("bytes")) ?? original;
  const asked = values.get("layer");
  const layer = asked !== undefined && Object.hasOwn(LAYER_WORDS, asked) ? (asked as GuessedLayer) : null;
  return {
    original,
    bytes,
    title: was === null ? first.title : titleOf(values.get("title")),
    layer: layer ?? (was === null ? "ethernet" : guessLayer(original).layer),
    repair: !words.includes("broken"),
    pinned: values.get("field") ?? "",
  };
}

/** A hop of the walk, from 1; null where it has none of that number. */
function hopState(number: string | undefined): State | null {
  const at = Number(number) - 1;
  const hop = RECORDED.hops[at];
  return hop === undefined
    ? null
    : { ...exampleState("ping"), title: hopTitle(RECORDED, at), original: hop.bytes, bytes: hop.bytes };
}

function titleOf(text: string | undefined): string {
  try {
    return decodeURIComponent(text ?? "") || "a packet";
  } catch {
    return "a packet";
  }
}

function exampleOf(bytes: Uint8Array): ExampleName | null {
  const names = Object.keys(EXAMPLES) as ExampleName[];
  return names.find((name) => EXAMPLES[name].bytes === bytes) ?? null;
}

function encode(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes.subarray(0, MOST_BYTES)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}

/** Null where it is no packet. */
function decode(text: string | undefined): Uint8Array | null {
  if (text === undefined || text === "") return null;
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return binary.length === 0 || binary.length > MOST_BYTES
      ? null
      : Uint8Array.from(binary, (c) => c.charCodeAt(0));
  } catch {
    return null;
  }
}
