import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EXAMPLES } from "../../src/teach/examples.ts";
import { readHexText } from "../../src/teach/hex-text.ts";
import { hex } from "../../src/wire/bytes.ts";

const { bytes } = EXAMPLES.ping;

/** What the reading is: digits, or the problem. */
function read(text: string): string {
  const reading = readHexText(text);
  return reading.ok ? hex(reading.bytes) : reading.problem;
}

/** The columns of the tools, of any bytes. */
const offset = (i: number, width: number) => i.toString(16).padStart(width, "0");
const rows = <T>(all: Uint8Array, row: (part: Uint8Array, at: number) => T): T[] =>
  Array.from({ length: Math.ceil(all.length / 16) }, (_, i) =>
    row(all.subarray(i * 16, i * 16 + 16), i * 16),
  );
const ascii = (part: Uint8Array) =>
  [...part].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
const pairs = (part: Uint8Array) => hex(part).replace(/.{4}(?=.)/g, "$& ");

const DUMPS: Readonly<Record<string, (all: Uint8Array) => string>> = {
  plain: (all) => hex(all),
  spaced: (all) => hex(all, 0, all.length, " "),
  colons: (all) => hex(all, 0, all.length, ":"),
  "a C array": (all) => `{ ${[...all].map((byte) => `0x${byte.toString(16).padStart(2, "0")}`).join(", ")} }`,
  "a C string": (all) => `"${[...all].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}"`,
  xxd: (all) =>
    rows(all, (part, at) => `${offset(at, 8)}: ${pairs(part).padEnd(39)}  ${ascii(part)}`).join("\n"),
  "hexdump -C": (all) =>
    `${rows(all, (part, at) => {
      const halves = [part.subarray(0, 8), part.subarray(8)].map((half) => hex(half, 0, half.length, " "));
      return `${offset(at, 8)}  ${halves.join("  ").padEnd(48)}  |${ascii(part)}|`;
    }).join("\n")}\n${offset(all.length, 8)}\n`,
  "tcpdump -x": (all) => rows(all, (part, at) => `\t0x${offset(at, 4)}:  ${pairs(part)}`).join("\n"),
  "tcpdump -X": (all) =>
    rows(all, (part, at) => `\t0x${offset(at, 4)}:  ${pairs(part).padEnd(39)}  ${ascii(part)}`).join("\n"),
  Wireshark: (all) =>
    rows(
      all,
      (part, at) => `${offset(at, 4)}   ${hex(part, 0, part.length, " ").padEnd(47)}   ${ascii(part)}`,
    ).join("\n"),
};

describe("hexadecimal text", () => {
  for (const [name, dump] of Object.entries(DUMPS)) {
    it(`${name}, of any bytes`, () => {
      fc.assert(
        fc.property(fc.uint8Array({ minLength: 1, maxLength: 80 }), (all) => {
          expect(read(dump(all))).toBe(hex(all));
        }),
        { seed: 5, numRuns: 200 },
      );
    });
  }

  it("as the tools of this machine print it", () => {
    const tools = [["xxd"], ["hexdump", "-C"], ["od", "-A", "n", "-t", "x1"]];
    let run = 0;
    for (const [tool, ...args] of tools) {
      try {
        const text = execFileSync(tool!, args, { input: bytes, encoding: "utf8" });
        expect(read(text)).toBe(hex(bytes));
        run++;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      }
    }
    expect(run).toBeGreaterThan(0);
  });

  it("with comments, as a specification has it", () => {
    expect(read("08 00 00 00  # flags\n00 00 01 00  // VNI 1\n")).toBe("0800000000000100");
  });

  it("an offset alone is none: 0800 0000 are bytes", () => {
    expect(read("0800 0000 0000 0100")).toBe("0800000000000100");
    expect(read("0000 0100")).toBe("00000100");
  });

  it("says what is wrong, and where", () => {
    expect(read("08 00\n0g")).toBe('line 2: "g" is no hexadecimal digit');
    expect(read("080")).toBe("the last byte has one digit: a byte is two");
    expect(read("# nothing")).toBe("there are no bytes in it");
    expect(read("00".repeat(300_000))).toMatch(/no packet/);
  });

  it("takes any text for bytes or says why not", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (text) => {
        expect(read(text)).not.toBe("");
      }),
      { seed: 6, numRuns: 500 },
    );
  });
});
