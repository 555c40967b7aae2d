/**
 * An explained packet as a page of HTML: one file that needs nothing else, no network and no script to be read. Its bytes
 * stand beside its fields; a small script marks both when one is pointed at.
 */
import { hex } from "../wire/index.ts";
import type { ExplainedField, ExplainedPart, Explanation, Tone } from "./explanation.ts";
import { JUDGES, type Judgements } from "./judge/judge.ts";
import type { Receiver } from "./judge/judgement.ts";
import { escaped } from "./markup.ts";
import { sizeSteps } from "./sizes.ts";
import { bitsOf, FATE_WORDS, receiverLine } from "./verdict-text.ts";

export interface HtmlOptions {
  /** What the packet is, in one line. */
  readonly title: string;
  readonly receiver: Receiver;
  readonly verdicts: Judgements;
}

export function explanationHtml(
  explanation: Explanation,
  { title, receiver, verdicts }: HtmlOptions,
): string {
  const { parts, notes, bytes } = explanation;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title><style>${STYLE}</style></head>
<body><header><h1>${escaped(title)}</h1><p>${bytes.length} bytes. Point at a byte or a field to see the other; open a field for all of it.</p></header>
<main><section class="bytes" aria-label="bytes"><h2>Bytes</h2>${bytesHtml(explanation)}${sizesHtml(explanation)}</section>
<section class="fields" aria-label="fields">${parts.map(partHtml).join("\n")}
${notes.map(({ kind, at, text }) => `<p class="note">${escaped(`${kind} at byte ${at}: ${text}`)}</p>`).join("\n")}
${verdictsHtml(receiver, verdicts)}</section></main>
<script>${SCRIPT}</script></body></html>
`;
}

/** Each byte with the fields that it has bits of. */
function bytesHtml({ bytes, parts }: Explanation): string {
  const owners: { tone: Tone; ids: string[] }[] = Array.from(bytes, () => ({ tone: "plain", ids: [] }));
  for (const part of parts) {
    for (const { id, bit, width } of part.fields) {
      for (let at = bit >> 3; at < (bit + width) / 8; at++) {
        owners[at]!.tone = part.tone;
        owners[at]!.ids.push(id);
      }
    }
  }
  const spans = owners.map(({ tone, ids }, at) => {
    const offset = at % 16 === 0 ? `<span class="at">${at}</span>` : "";
    return `${offset}<span class="${tone}" data-of="${escaped(ids.join(" "))}">${hex(bytes, at, 1)}</span>`;
  });
  return `<div class="dump">${spans.join("")}</div>`;
}

function sizesHtml(explanation: Explanation): string {
  const rows = sizeSteps(explanation).map(
    ({ adds, bytes, name }, i) =>
      `<tr><td>${i === 0 ? "" : "+ "}${escaped(adds)}</td><td class="number">${bytes}</td><td>${escaped(name)}</td></tr>`,
  );
  return rows.length === 0 ? "" : `<h2>Sizes</h2><table>${rows.join("")}</table>`;
}

function partHtml({ id, title, tone, at, length, fields }: ExplainedPart): string {
  const extent = length === 1 ? `byte ${at}` : `${length} bytes, ${at} to ${at + length - 1}`;
  return `<section class="part ${tone}" id="${escaped(id)}"><h2>${escaped(title)} <small>${extent}</small></h2>${fields.map(fieldHtml).join("")}</section>`;
}

function fieldHtml(field: ExplainedField): string {
  const { id, title, text, short, meaning, why, ifWrong, source, wrong } = field;
  const about = [
    ["bits", bitsOf(field)],
    ["means", meaning],
    ["why", why],
    ["if wrong", ifWrong],
    ["written in", source],
  ].map(([word, words]) => `<dt>${word}</dt><dd>${escaped(words!)}</dd>`);
  return (
    `<details data-field="${escaped(id)}" data-bits="${bitsOf(field)}"><summary><b>${escaped(title)}</b> ` +
    `<output${wrong ? ' class="wrong"' : ""}>${escaped(text)}</output> <small>${escaped(short)}</small></summary><dl>${about.join("")}</dl></details>`
  );
}

function verdictsHtml(receiver: Receiver, verdicts: Judgements): string {
  const rows = JUDGES.map((judge) => {
    const { fate, reason, field, words, source } = verdicts[judge];
    const what = FATE_WORDS[fate] + (reason === null ? "" : `: ${reason}`);
    const where = field === null ? "" : ` <code>${escaped(field)}</code>`;
    return `<tr><th scope="row">${judge}</th><td class="${fate}">${escaped(what)}${where}</td><td>${escaped(words)} <small>${escaped(source)}</small></td></tr>`;
  });
  return `<section class="part" id="verdicts"><h2>What becomes of it</h2><p>${escaped(receiverLine(receiver))}</p><table>${rows.join("")}</table></section>`;
}

const STYLE = `
:root{color-scheme:light dark;--back:#fff;--text:#16181d;--soft:#5b6270;--line:#dfe3ea;--outer:#174f8f;--tunnel:#95206b;--inner:#17653a;--mark:#ffe38a;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--back:#12151c;--text:#e8eaf0;--soft:#a2a9b8;--line:#2b313d;--outer:#8fc1ff;--tunnel:#ff9fdb;--inner:#84e0a5;--mark:#6b5200;--bad:#ff9d94}}
*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--text);font:15px/1.5 system-ui,sans-serif}
header{padding:20px 24px 0}h1{font-size:22px;margin:0}h2{font-size:15px;margin:16px 0 6px}small{color:var(--soft);font-weight:400}
main{display:grid;grid-template-columns:minmax(0,30rem) minmax(0,1fr);gap:24px;padding:0 24px 40px}
.bytes{position:sticky;top:0;align-self:start}.dump{font:14px/1.7 ui-monospace,Menlo,Consolas,monospace;display:grid;grid-template-columns:3.2em repeat(16,minmax(0,1.6em))}
.at{color:var(--soft)}.outer,.plain{--tone:var(--outer)}.tunnel{--tone:var(--tunnel)}.inner{--tone:var(--inner)}
.dump .outer,.dump .plain,.dump .tunnel,.dump .inner,.part h2{color:var(--tone)}.dump .mark,details.mark{background:var(--mark)}
details{border-top:1px solid var(--line);padding:3px 4px}summary{cursor:pointer}output{font-family:ui-monospace,Menlo,Consolas,monospace}
dl{display:grid;grid-template-columns:6rem 1fr;gap:2px 10px;margin:6px 0 10px 18px}dt{color:var(--soft)}dd{margin:0}
table{border-collapse:collapse}td,th{padding:2px 10px 2px 0;text-align:left;vertical-align:top}.number{text-align:right;font-family:ui-monospace,monospace}
.wrong,.note,.drop{color:var(--bad);font-weight:600}
@media(max-width:60rem){main{grid-template-columns:minmax(0,1fr)}.bytes{position:static}}
@media print{.bytes{position:static}details dl{display:grid}}
`.replace(/\n/g, "");

const SCRIPT = `
const of=(id)=>[...document.querySelectorAll("[data-of]")].filter((e)=>e.dataset.of.split(" ").includes(id));
const mark=(ids,on)=>{for(const id of ids){for(const e of of(id))e.classList.toggle("mark",on);for(const e of document.querySelectorAll("details"))if(e.dataset.field===id)e.classList.toggle("mark",on)}};
for(const e of document.querySelectorAll("details,[data-of]")){const ids=(e.dataset.field??e.dataset.of).split(" ");
for(const [type,on] of [["mouseenter",true],["mouseleave",false],["focusin",true],["focusout",false]])e.addEventListener(type,()=>mark(ids,on))}
`.replace(/\n/g, "");
