/**
 * The bytes, 16 in a row. Pointing at one marks its fields, a click pins them, and a byte that has the focus takes two
 * hexadecimal digits. The arrows go from byte to byte, so that the Tab key has one stop here.
 */
import { useRef, useState } from "preact/hooks";
import { fieldsOf, type Tone } from "../teach/explanation.ts";
import { hex } from "../wire/index.ts";
import type { Shared } from "./shared.ts";

const ROW = 16;
const STEPS: Readonly<Record<string, number>> = {
  ArrowLeft: -1,
  ArrowRight: 1,
  ArrowUp: -ROW,
  ArrowDown: ROW,
};

interface Owner {
  readonly tone: Tone;
  readonly ids: readonly string[];
  readonly titles: readonly string[];
}

export function Bytes({ state, dispatch, explanation, marked, mark }: Shared) {
  const { bytes } = explanation;
  const [focused, setFocused] = useState(0);
  /** The first of two digits. */
  const [digit, setDigit] = useState("");
  const table = useRef<HTMLTableElement>(null);
  const owners = ownersOf(explanation);

  const go = (at: number): void => {
    const to = Math.max(0, Math.min(bytes.length - 1, at));
    setFocused(to);
    setDigit("");
    table.current?.querySelector<HTMLElement>(`[data-at="${to}"]`)?.focus();
  };
  const pin = (at: number): void => {
    const { ids } = owners[at]!;
    // Again and again: each field of a byte that several share.
    dispatch({ kind: "pin", id: ids[(ids.indexOf(state.pinned) + 1) % ids.length]! });
  };
  const key = (event: KeyboardEvent): void => {
    const step = STEPS[event.key];
    if (step !== undefined) go(focused + step);
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(bytes.length - 1);
    else if (event.key === "Escape") setDigit("");
    else if (/^[0-9a-f]$/i.test(event.key) && !event.ctrlKey && !event.metaKey) type(event.key);
    else return;
    event.preventDefault();
  };
  const type = (key: string): void => {
    if (digit === "") {
      setDigit(key);
      return;
    }
    dispatch({ kind: "bits", bit: focused * 8, width: 8, value: Number.parseInt(digit + key, 16) });
    go(focused + 1);
  };

  const cell = (at: number) => {
    const { tone, ids, titles } = owners[at]!;
    const isMarked = ids.some((id) => marked.includes(id));
    const classes = [tone, isMarked && "marked", ids.includes(state.pinned) && "pinned"];
    const isChanged = bytes[at] !== state.original[at];
    const text = at === focused && digit !== "" ? `${digit}_` : hex(bytes, at, 1);
    return (
      <td key={at}>
        <button
          type="button"
          class={[...classes, isChanged && "changed"].filter(Boolean).join(" ")}
          data-at={at}
          tabIndex={at === focused ? 0 : -1}
          aria-label={`byte ${at}: ${text}, ${titles.join(", ")}`}
          onPointerEnter={() => mark(ids)}
          onFocus={() => {
            setFocused(at);
            mark(ids);
          }}
          onBlur={() => mark([])}
          onClick={() => pin(at)}
        >
          {text}
        </button>
      </td>
    );
  };

  const rows = Array.from({ length: Math.ceil(bytes.length / ROW) }, (_, i) => i * ROW);
  return (
    <section aria-labelledby="bytes-title">
      <h2 id="bytes-title">
        Bytes <small>{bytes.length}; type hexadecimal digits to change one</small>
      </h2>
      <table class="bytes" ref={table} onKeyDown={key} onPointerLeave={() => mark([])}>
        <tbody>
          {rows.map((row) => (
            <tr key={row}>
              <th scope="row">{row}</th>
              {Array.from(bytes.subarray(row, row + ROW), (_byte, i) => cell(row + i))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function ownersOf(explanation: Shared["explanation"]): Owner[] {
  const owners: { tone: Tone; ids: string[]; titles: string[] }[] = Array.from(explanation.bytes, () => ({
    tone: "plain",
    ids: [],
    titles: [],
  }));
  const tones = new Map(
    explanation.parts.flatMap(({ fields, tone }) => fields.map(({ id }) => [id, tone] as const)),
  );
  for (const { id, bit, width, title } of fieldsOf(explanation)) {
    for (let at = bit >> 3; at * 8 < bit + width; at++) {
      const owner = owners[at]!;
      owner.tone = tones.get(id)!;
      owner.ids.push(id);
      owner.titles.push(title);
    }
  }
  return owners;
}
