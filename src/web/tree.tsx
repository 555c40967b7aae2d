/** The fields, layer by layer: pointing at one marks its bytes, a click pins it. */
import { useEffect, useRef } from "preact/hooks";
import type { ExplainedField } from "../teach/explanation.ts";
import type { Shared } from "./shared.ts";

export function Tree({ state, dispatch, explanation, marked, mark }: Shared) {
  const tree = useRef<HTMLElement>(null);
  const shown = useRef(state.pinned);
  useEffect(() => {
    // Not when the page opens: who follows a link sees its beginning first.
    if (shown.current !== state.pinned)
      tree.current?.querySelector(".pinned")?.scrollIntoView({ block: "nearest" });
    shown.current = state.pinned;
  }, [state.pinned]);
  const row = (field: ExplainedField) => {
    const { id, title, text, short, wrong } = field;
    const classes = [marked.includes(id) && "marked", state.pinned === id && "pinned", wrong && "wrong"];
    return (
      <li key={id}>
        <button
          type="button"
          class={classes.filter(Boolean).join(" ")}
          data-field={id}
          aria-pressed={state.pinned === id}
          onPointerEnter={() => mark([id])}
          onPointerLeave={() => mark([])}
          onFocus={() => mark([id])}
          onBlur={() => mark([])}
          onClick={() => dispatch({ kind: "pin", id: state.pinned === id ? "" : id })}
        >
          <span class="name">{title}</span> <span class="value">{text}</span> <small>{short}</small>
        </button>
      </li>
    );
  };
  return (
    <section class="tree" ref={tree} aria-labelledby="fields-title">
      <h2 id="fields-title">Fields</h2>
      {explanation.parts.map(({ id, title, tone, at, length, fields }) => (
        <section class={tone} key={id} aria-label={title}>
          <h3>
            {title}{" "}
            <small>{length === 1 ? `byte ${at}` : `${length} bytes, ${at} to ${at + length - 1}`}</small>
          </h3>
          <ul>{fields.map(row)}</ul>
        </section>
      ))}
      {explanation.notes.map(({ kind, at, text }) => (
        <p class="note" key={`${at} ${text}`}>
          {kind} at byte {at}: {text}
        </p>
      ))}
    </section>
  );
}
