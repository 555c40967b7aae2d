/** What a forwarding knows, told by the old agent and taken over by the new one. */
import { addressBytes } from "../../control/address.ts";
import type { LearnedRows } from "../../dataplane/learned.ts";
import type { FdbRow, FdbUpdate } from "../../dataplane/options.ts";
import { isGroup } from "../../fdb/fdb.ts";
import { parseMac } from "../../wire/bytes.ts";
import type { Forwarding } from "../forwarding.ts";
import type { Overlay } from "../overlay.ts";
import type { LearnedText, Tables, UnderlayState } from "./protocol.ts";

/** Rows that the dataplane changes in one command. */
const AT_ONCE = 4096;

/** What nobody changes as long as nothing else is done to the agent (`serial.ts`). */
export function describeTables(forwarding: Forwarding): Promise<Tables[]> {
  return Promise.all(
    forwarding.overlays.map(async (overlay) => {
      const rows = await overlay.engine.ask({ type: "rows", learned: false });
      const neighbours = await overlay.neighbours.rows();
      return {
        rows,
        neighbours: neighbours.map(({ address, mac }) => ({ address, mac })),
        memory: overlay.memory,
      };
    }),
  );
}

/** Makes the tables of a new forwarding the same. */
export async function fillTables(forwarding: Forwarding, tables: readonly Tables[]): Promise<void> {
  for (const [i, overlay] of forwarding.overlays.entries()) await fill(overlay, tables[i]!);
}

async function fill(overlay: Overlay, { rows, neighbours, memory }: Tables): Promise<void> {
  const { engine } = overlay;
  for (const piece of pieces(rows)) await engine.ask({ type: "update", changes: piece.map(asUpdate) });
  for (const piece of pieces(neighbours)) {
    const changes = piece.map(({ address, mac }) => {
      return { op: "replace", address: addressBytes(address), mac } as const;
    });
    await engine.ask({ type: "updateNeighbours", changes });
  }
  overlay.recall(memory);
}

/** What changes with every packet, once no packet moves any more. */
export async function describeState({ overlays, paths }: Forwarding): Promise<UnderlayState> {
  const each = overlays.map(async ({ engine }) => {
    const learned = await engine.ask({ type: "learned" });
    return { counters: engine.snapshot(), learned: asText(learned) };
  });
  return { overlays: await Promise.all(each), paths: paths.memory };
}

/** Makes a new forwarding, which is held, go on from there. */
export async function restoreState({ overlays, paths }: Forwarding, state: UnderlayState): Promise<void> {
  const each = overlays.map(async ({ engine }, i) => {
    const { counters, learned } = state.overlays[i]!;
    await engine.ask({ type: "relearn", rows: asRows(learned) });
    await engine.ask({ type: "count", counters });
  });
  await Promise.all([...each, paths.recall(state.paths)]);
}

/** The dataplane was started with rows of its own, for frames without one: what is there already stays. */
function asUpdate({ mac, dst, port }: FdbRow): FdbUpdate {
  const { hi, lo } = parseMac(mac);
  return { op: isGroup(hi, lo) ? "append" : "replace", mac, address: addressBytes(dst), port };
}

function asText({ words, vteps, lessons }: LearnedRows): LearnedText {
  return {
    words: textOf(new Uint8Array(words.buffer, words.byteOffset, words.byteLength)),
    vteps: vteps.map(({ address, port }) => ({ address: textOf(address), port })),
    lessons: lessons.map((lesson) => ({ ...lesson, frame: textOf(lesson.frame) })),
  };
}

/** Thousands of them in no time: that of `wire/` is for people. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "base64"));
}

function asRows({ words, vteps, lessons }: LearnedText): LearnedRows {
  return {
    words: new Int32Array(bytesOf(words).buffer),
    vteps: vteps.map(({ address, port }) => ({ address: bytesOf(address), port })),
    lessons: lessons.map((lesson) => ({ ...lesson, frame: bytesOf(lesson.frame) })),
  };
}

function* pieces<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += AT_ONCE) yield all.slice(at, at + AT_ONCE);
}
