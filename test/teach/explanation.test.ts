/** Every bit in exactly one field, whatever the packet; and every way of showing it shows the same. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asciiDiagram } from "../../src/teach/ascii-diagram.ts";
import { explanationHtml } from "../../src/teach/explain-html.ts";
import { explanationJson } from "../../src/teach/explain-json.ts";
import { explainText } from "../../src/teach/explain-text.ts";
import { type Explanation, explain, fieldsOf } from "../../src/teach/explanation.ts";
import { guessLayer } from "../../src/teach/guess.ts";
import { judge, receiverOf } from "../../src/teach/judge/judge.ts";
import { packetSvg } from "../../src/teach/svg-diagram.ts";
import { bitsOf, verdictLines } from "../../src/teach/verdict-text.ts";
import type { LayerName } from "../../src/wire/index.ts";
import { fuzzSeconds } from "../helpers/fuzz.ts";
import { anything, made, VECTORS } from "./packets.ts";

const LAYERS: LayerName[] = ["ethernet", "ip", "udp-payload", "udp", "vlan", "tcp"];
/** Seconds that each of the tests of any bytes takes. */
const SECONDS = fuzzSeconds(2);
const TIMEOUT = (SECONDS + 30) * 1000;

function expectEveryBitOnce(explanation: Explanation): void {
  let bit = 0;
  const ids = new Set<string>();
  for (const field of fieldsOf(explanation)) {
    expect(field.bit).toBe(bit);
    expect(field.width).toBeGreaterThan(0);
    bit += field.width;
    ids.add(field.id);
    for (const words of [field.meaning, field.why, field.source, field.ifWrong, field.short]) {
      expect(words, field.id).not.toBe("");
    }
  }
  expect(bit).toBe(explanation.bytes.length * 8);
  expect(ids.size).toBe(fieldsOf(explanation).length);
}

describe("every bit belongs to exactly one explained field", () => {
  it("of every packet that the codec can make", () => {
    fc.assert(
      fc.property(made, (bytes) => expectEveryBitOnce(explain(bytes))),
      { seed: 1, numRuns: 1000 },
    );
  });

  it(
    "of any bytes, whatever they are taken for",
    () => {
      fc.assert(
        fc.property(anything, fc.constantFrom(...LAYERS), (bytes, layer) =>
          expectEveryBitOnce(explain(bytes, { layer })),
        ),
        { seed: 2, numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: SECONDS * 1000 },
      );
    },
    TIMEOUT,
  );
});

/** What is shown of a field: where it is, what it is called, and its value. */
interface Shown {
  readonly bits: string;
  readonly title: string;
  readonly text: string;
}

/** As it should be. */
function said(explanation: Explanation): Shown[] {
  return fieldsOf(explanation).map((field) => ({
    bits: bitsOf(field),
    title: field.title,
    text: field.text,
  }));
}

/** Read back from the lines of the terminal: "  TTL  40  64 hops", and below "byte 22, bits 176 to 183; RFC 791 …". */
function shownInText(explanation: Explanation): Shown[] {
  const lines = explainText(explanation);
  return lines.flatMap((line, i) => {
    const bits = /^ {6}bytes? \d+(?: to \d+)?, (bits? \d+(?: to \d+)?);/.exec(line)?.[1];
    if (bits === undefined) return [];
    const words = lines[i - 1]!.trim().split(/ {2,}/);
    return [{ bits, title: words[0]!, text: words.at(-1)! }];
  });
}

function extras(explanation: Explanation) {
  const receiver = receiverOf(explanation);
  return {
    receiver,
    verdicts: judge(explanation, receiver),
    guess: guessLayer(explanation.bytes),
    title: "a packet",
  };
}

function shownInJson(explanation: Explanation): Shown[] {
  const text = JSON.stringify(explanationJson(explanation, extras(explanation)));
  const json = JSON.parse(text) as {
    parts: { fields: { bit: number; width: number; title: string; text: string }[] }[];
  };
  return json.parts.flatMap(({ fields }) =>
    fields.map(({ bit, width, title, text: value }) => ({
      bits: bitsOf({ bit, width }),
      title,
      text: value,
    })),
  );
}

function unescaped(text: string): string {
  return text
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&");
}

function shownInSvg(explanation: Explanation): Shown[] {
  const cells = packetSvg(explanation).matchAll(
    /<g class="cell" [^>]*data-bits="([^"]*)" data-value="([^"]*)"><title>([^\n]*)/g,
  );
  return [...cells].map(([, bits, text, title]) => ({
    bits: bits!,
    title: unescaped(title!),
    text: unescaped(text!),
  }));
}

function shownInHtml(explanation: Explanation): Shown[] {
  const fields = explanationHtml(explanation, extras(explanation)).matchAll(
    /data-bits="([^"]*)"><summary><b>([^<]*)<\/b> <output[^>]*>([^<]*)</g,
  );
  return [...fields].map(([, bits, title, text]) => ({
    bits: bits!,
    title: unescaped(title!),
    text: unescaped(text!),
  }));
}

describe("each vector is the same", () => {
  const each = Object.entries(VECTORS);

  it.each(each)("on the terminal, in JSON, SVG and HTML: %s", (_name, bytes) => {
    const explanation = explain(bytes);
    const expected = said(explanation);
    expect(shownInText(explanation)).toEqual(expected);
    expect(shownInJson(explanation)).toEqual(expected);
    expect(shownInSvg(explanation)).toEqual(expected);
    expect(shownInHtml(explanation)).toEqual(expected);
  });

  it.each(each)("in ASCII, every cell as wide as its field: %s", (_name, bytes) => {
    for (const part of explain(bytes).parts) {
      if (part.kind !== "header") continue;
      const fields = part.fields.map((field) => ({ ...field, at: field.bit - part.at * 8 }));
      const lines = asciiDiagram(fields);
      const rows = lines.filter((line) => /^ {4}\|/.test(line));
      const widths = rows.flatMap((row) =>
        row
          .trim()
          .slice(1, -1)
          .split("|")
          .map((cell) => (cell.length + 1) / 2),
      );
      expect(widths.reduce((sum, width) => sum + width, 0)).toBe(
        fields.reduce((sum, { width }) => sum + width, 0),
      );
      for (const { title, text } of fields) {
        const drawn = lines.join("\n");
        expect(drawn, `${title}: ${text}`).toContain(title);
        expect(drawn).toContain(text);
      }
    }
  });

  it("within 80 columns", () => {
    for (const bytes of Object.values(VECTORS)) {
      const explanation = explain(bytes);
      const { receiver, verdicts } = extras(explanation);
      for (const line of [...explainText(explanation), ...verdictLines(explanation, receiver, verdicts)]) {
        expect(line.length, line).toBeLessThanOrEqual(80);
      }
    }
  });
});

describe("any bytes at all", () => {
  it(
    "are shown in every way, and nothing throws",
    () => {
      fc.assert(
        fc.property(anything, fc.constantFrom(...LAYERS), (bytes, layer) => {
          const explanation = explain(bytes, { layer });
          const all = extras(explanation);
          expect(shownInText(explanation)).toHaveLength(fieldsOf(explanation).length);
          JSON.stringify(explanationJson(explanation, all));
          packetSvg(explanation);
          explanationHtml(explanation, all);
          for (const color of [false, true]) {
            explainText(explanation, { color });
            verdictLines(explanation, all.receiver, all.verdicts, color);
          }
          for (const { at, fields } of explanation.parts)
            asciiDiagram(fields.map((field) => ({ ...field, at: field.bit - at * 8 })));
        }),
        { seed: 3, numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: SECONDS * 1000 },
      );
    },
    TIMEOUT,
  );
});

describe("where the sizes come from", () => {
  it("the study's 106 and the wire's 148 bytes, each with what was added", () => {
    const text = explainText(explain(VECTORS["example ping"]!)).join("\n");
    expect(text).toContain(
      [
        "    payload 56            =   56  data",
        "  + ICMP echo 8 + IPv4 20 =   84  inner IPv4 packet",
        "  + Ethernet 14           =   98  inner frame",
        "  + VXLAN 8               =  106  UDP payload",
        "  + UDP 8 + IPv4 20       =  134  outer IPv4 packet",
        "  + Ethernet 14           =  148  on the wire",
      ].join("\n"),
    );
  });
});
