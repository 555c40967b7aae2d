/** Which packet: an example, a capture or a walk that is dropped here, or bytes that are pasted; and how it is read. */
import { useEffect, useState } from "preact/hooks";
import { readCapture } from "../io/capture-reader.ts";
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from "../io/pcapng.ts";
import { EXAMPLES, type ExampleName } from "../teach/examples.ts";
import { type GuessedLayer, LAYER_WORDS } from "../teach/guess.ts";
import { readHexText } from "../teach/hex-text.ts";
import { summarize } from "../teach/summary.ts";
import { readWalk, type Walk } from "../teach/walk-json.ts";
import { hex } from "../wire/index.ts";
import type { Shared } from "./shared.ts";
import { hopTitle } from "./walk.tsx";

/** A packet of a capture. */
interface Listed {
  readonly title: string;
  readonly bytes: Uint8Array;
  readonly layer?: GuessedLayer;
}

/** Packets of a capture that are listed. */
const MOST_LISTED = 1000;

interface Props extends Shared {
  readonly walk: Walk;
  readonly setWalk: (walk: Walk) => void;
}

export function Loader({ state, dispatch, walk, setWalk }: Props) {
  const [listed, setListed] = useState<readonly Listed[]>([]);
  const [problem, setProblem] = useState("");
  const isChanged = state.bytes !== state.original;

  const load = (packet: Listed): void => {
    setProblem("");
    dispatch({ kind: "load", ...packet });
  };
  const text = (input: string, title: string): void => {
    const reading = readHexText(input);
    if (reading.ok) load({ title, bytes: reading.bytes });
    else setProblem(`That is no packet: ${reading.problem}.`);
  };
  const follow = (way: Walk): void => {
    setWalk(way);
    load({ title: hopTitle(way, 0), bytes: way.hops[0]!.bytes, layer: "ethernet" });
  };
  const file = async (dropped: File): Promise<void> => {
    const bytes = new Uint8Array(await dropped.arrayBuffer());
    const way = readWalk(new TextDecoder().decode(bytes));
    if (way !== null) return follow(way);
    const packets = packetsOf(bytes, dropped.name);
    if (packets === null) return text(new TextDecoder().decode(bytes), dropped.name);
    setListed(packets.slice(0, MOST_LISTED));
    if (packets[0] === undefined) setProblem(`${dropped.name} has no packet that can be read here.`);
    else load(packets[0]);
  };
  useEffect(() => {
    const over = (event: DragEvent): void => event.preventDefault();
    const drop = (event: DragEvent): void => {
      event.preventDefault();
      const [dropped] = event.dataTransfer?.files ?? [];
      if (dropped !== undefined) void file(dropped);
    };
    const paste = (event: ClipboardEvent): void => {
      if (event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement) return;
      text(event.clipboardData?.getData("text") ?? "", "pasted");
    };
    addEventListener("dragover", over);
    addEventListener("drop", drop);
    addEventListener("paste", paste);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("drop", drop);
      removeEventListener("paste", paste);
    };
  });

  return (
    <section class="loader" aria-label="which packet">
      <div class="choices">
        {(Object.keys(EXAMPLES) as ExampleName[]).map((name) => (
          <button
            type="button"
            key={name}
            aria-pressed={state.original === EXAMPLES[name].bytes}
            onClick={() =>
              load({ title: `the example ${name}`, bytes: EXAMPLES[name].bytes, layer: "ethernet" })
            }
          >
            {name}
          </button>
        ))}
        <button
          type="button"
          aria-pressed={walk.hops.some(({ bytes }) => bytes === state.original)}
          onClick={() => follow(walk)}
        >
          follow a ping
        </button>
        <label class="button">
          open a capture
          <input
            type="file"
            onChange={(event) => event.currentTarget.files?.[0] && void file(event.currentTarget.files[0])}
          />
        </label>
        <details class="paste">
          <summary>paste bytes</summary>
          <textarea
            aria-label="bytes in hexadecimal"
            placeholder="08 00 00 00 00 00 01 00 …  or what xxd, tcpdump -x and Wireshark print"
            rows={4}
            onInput={(event) => text(event.currentTarget.value, "pasted")}
          />
        </details>
      </div>
      <p class="now">
        <b>{state.title}</b>
        {aboutOf(state)}
        {isChanged && (
          <>
            {" "}
            <em>changed</em>{" "}
            <button type="button" class="link" onClick={() => dispatch({ kind: "reset" })}>
              as it was
            </button>
          </>
        )}
      </p>
      {problem !== "" && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      <div class="options">
        <label>
          read as{" "}
          <select
            value={state.layer}
            onChange={(event) =>
              dispatch({ kind: "layer", layer: event.currentTarget.value as GuessedLayer })
            }
          >
            {Object.entries(LAYER_WORDS).map(([layer, words]) => (
              <option value={layer} key={layer}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <label>
          <input
            type="checkbox"
            name="repair"
            checked={state.repair}
            onChange={() => dispatch({ kind: "repair", repair: !state.repair })}
          />{" "}
          put checksums right after a change
        </label>
        <button
          type="button"
          class="link"
          onClick={() => void navigator.clipboard?.writeText(hex(state.bytes, 0, state.bytes.length, " "))}
        >
          copy the bytes
        </button>
      </div>
      {listed.length > 1 && (
        <label class="packets">
          packet{" "}
          <select onChange={(event) => load(listed[event.currentTarget.selectedIndex]!)}>
            {listed.map(({ title, bytes, layer }, i) => (
              <option
                key={title}
              >{`${i + 1}  ${summarize(bytes, layer === undefined ? {} : { layer })}`}</option>
            ))}
          </select>
        </label>
      )}
    </section>
  );
}

function aboutOf({ original }: Shared["state"]): string {
  const example = Object.values(EXAMPLES).find(({ bytes }) => bytes === original);
  return example === undefined ? "" : `: ${example.what}. ${example.look}.`;
}

/** Null where it is no capture. */
function packetsOf(bytes: Uint8Array, name: string): Listed[] | null {
  try {
    const { packets, interfaces } = readCapture(bytes);
    const layers: Readonly<Record<number, GuessedLayer>> = {
      [LINKTYPE_ETHERNET]: "ethernet",
      [LINKTYPE_RAW]: "ip",
    };
    return packets.map((packet, i) => {
      const layer = layers[interfaces[packet.interfaceId]?.linkType ?? -1];
      return { title: `packet ${i + 1} of ${name}`, bytes: packet.bytes.slice(), ...(layer && { layer }) };
    });
  } catch {
    return null;
  }
}
