/** What becomes of the packet, in a strip that follows each change. */
import { JUDGES, type Judgements } from "../teach/judge/judge.ts";
import type { Receiver } from "../teach/judge/judgement.ts";
import { FATE_WORDS, receiverLine } from "../teach/verdict-text.ts";
import type { Shared } from "./shared.ts";

const SIGNS = { in: "✓", drop: "✗", "may-drop": "?", elsewhere: "↷" } as const;

export function Verdicts({
  dispatch,
  mark,
  receiver,
  verdicts,
}: Shared & { receiver: Receiver; verdicts: Judgements }) {
  return (
    <section class="verdicts" aria-labelledby="verdicts-title">
      <h2 id="verdicts-title">
        What becomes of it <small>{receiverLine(receiver).replace(/:$/, "")}</small>
      </h2>
      <ul aria-live="polite">
        {JUDGES.map((who) => {
          const { fate, reason, field, words, source } = verdicts[who];
          return (
            <li key={who} class={fate}>
              <b>{who}</b>{" "}
              <span class="fate">
                <span aria-hidden="true">{SIGNS[fate]}</span> {FATE_WORDS[fate]}
                {reason === null ? "" : `: ${reason}`}
              </span>
              <p>
                {words} <small>{source}</small>
              </p>
              {field !== null && (
                <button
                  type="button"
                  class="link"
                  onClick={() => dispatch({ kind: "pin", id: field })}
                  onPointerEnter={() => mark([field])}
                  onPointerLeave={() => mark([])}
                >
                  {field}
                </button>
              )}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
