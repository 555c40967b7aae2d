import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ListReader } from "../../../src/stores/kubernetes/list-reader.ts";

/** What a reader makes of a text that comes in pieces of these lengths. */
function read(text: string, lengths: readonly number[] = []): { items: unknown[]; frame: unknown } {
  const items: unknown[] = [];
  const reader = new ListReader((item) => items.push(item));
  let rest = Buffer.from(text);
  for (const length of lengths) {
    reader.data(rest.subarray(0, length));
    rest = rest.subarray(length);
  }
  reader.data(rest);
  return { items, frame: reader.end() };
}

describe("a list that is read while it arrives", () => {
  it("is its items, and what is around them", () => {
    const text =
      '{"kind":"NodeList","metadata":{"resourceVersion":"7"},"items":[{"a":[1,{}]}, {"b":"]}\\""}],"z":1}\n';
    expect(read(text)).toEqual({
      items: [{ a: [1, {}] }, { b: ']}"' }],
      frame: { kind: "NodeList", metadata: { resourceVersion: "7" }, items: [], z: 1 },
    });
  });

  it("can be empty, and have no items at all", () => {
    expect(read('{"items":[],"metadata":{}}')).toEqual({ items: [], frame: { items: [], metadata: {} } });
    expect(read('{"metadata":{},"items":null}')).toEqual({ items: [], frame: { metadata: {}, items: null } });
  });

  it("is the same in whatever pieces it comes", () => {
    const object = fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue());
    fc.assert(
      fc.property(
        fc.array(object, { maxLength: 5 }),
        object,
        fc.array(fc.nat(40), { maxLength: 20 }),
        fc.boolean(),
        (items, metadata, lengths, isPretty) => {
          const list = { kind: "NodeList", metadata, items };
          const text = JSON.stringify(list, null, isPretty ? 2 : 0);
          expect(read(text, lengths)).toEqual(
            JSON.parse(JSON.stringify({ items, frame: { ...list, items: [] } })),
          );
        },
      ),
    );
  });

  it.each([
    "",
    "<html>",
    '{"items":[{}',
    '{"items":[{]}',
    '{"items":[{"a":1}}',
    "]]]]{{{{",
    '{"items":[{"a":}]}',
  ])("is none: %j", (text) => {
    expect(() => read(text)).toThrow();
  });

  it("whatever comes instead of it is an error, or a list", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("{", "}", "[", "]", '"', "\\", ",", "1", " ") }),
        (text) => {
          try {
            read(text);
          } catch (error) {
            expect(error).toBeInstanceOf(Error);
          }
        },
      ),
    );
  });
});
