/** The pinned field: its bits to be flipped, its value to be typed, and all that there is to say of it. */
import { useEffect, useState } from "preact/hooks";
import { type ExplainedField, fieldsOf } from "../teach/explanation.ts";
import { bitsOf } from "../teach/verdict-text.ts";
import type { Shared } from "./shared.ts";
import { valueProblem } from "./state.ts";

/** Fields of more bits are typed, not flipped. */
const MOST_BITS = 48;

export function Detail({ state, dispatch, explanation }: Shared) {
  const field = fieldsOf(explanation).find(({ id }) => id === state.pinned);
  if (field === undefined) {
    return (
      <section class="detail" aria-label="the field">
        <p class="hint">Point at a byte or a field; click to keep it here.</p>
      </section>
    );
  }
  const { title, id, source, meaning, why, ifWrong, width, value } = field;
  return (
    <section class="detail" aria-label="the field">
      <h2>
        {title} <small>{id}</small>
      </h2>
      {value !== null && (
        <ValueInput key={`${id} ${field.text}`} field={field} state={state} dispatch={dispatch} />
      )}
      {width <= MOST_BITS && <Bits field={field} bytes={explanation.bytes} dispatch={dispatch} />}
      <dl>
        <dt>bits</dt>
        <dd>{bitsOf(field)}</dd>
        <dt>means</dt>
        <dd>{meaning}</dd>
        <dt>why</dt>
        <dd>{why}</dd>
        <dt>if wrong</dt>
        <dd>{ifWrong}</dd>
        <dt>written in</dt>
        <dd>{source}</dd>
      </dl>
    </section>
  );
}

type Part<T extends keyof Shared> = Pick<Shared, T> & { readonly field: ExplainedField };

function ValueInput({ field, state, dispatch }: Part<"state" | "dispatch">) {
  const [text, setText] = useState(field.text);
  const [problem, setProblem] = useState("");
  useEffect(() => setText(field.text), [field.text]);
  const submit = (event: Event): void => {
    event.preventDefault();
    const found = text === field.text ? "" : valueProblem(state, field.id, text);
    setProblem(found);
    if (found === "" && text !== field.text) dispatch({ kind: "field", id: field.id, text });
  };
  return (
    <form class="value-form" onSubmit={submit}>
      <label>
        value
        <input
          name="value"
          value={text}
          aria-invalid={problem !== ""}
          aria-describedby="value-problem"
          onInput={(event) => setText(event.currentTarget.value)}
          onBlur={submit}
        />
      </label>
      <p id="value-problem" class="problem" role="status">
        {problem}
      </p>
    </form>
  );
}

function Bits({ field, bytes, dispatch }: Part<"dispatch"> & { readonly bytes: Uint8Array }) {
  const { bit, width, title } = field;
  const bits = Array.from(
    { length: width },
    (_, i) => ((bytes[(bit + i) >> 3]! >> (7 - ((bit + i) & 7))) & 1) as 0 | 1,
  );
  return (
    <fieldset class="bits">
      <legend>bits, to be flipped</legend>
      {bits.map((value, i) => (
        <button
          type="button"
          key={i}
          class={(bit + i) % 8 === 0 ? "first" : ""}
          aria-pressed={value === 1}
          aria-label={`bit ${bit + i} of ${title}: ${value}`}
          onClick={() => dispatch({ kind: "bits", bit: bit + i, width: 1, value: 1 - value })}
        >
          {value}
        </button>
      ))}
    </fieldset>
  );
}
