/** `path=value`: which field is meant, what it takes, and the packet that comes of it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assign, findField, parseAssignment } from "../../src/teach/assign.ts";
import { EXAMPLES, type ExampleName } from "../../src/teach/examples.ts";
import { explain, fieldsOf } from "../../src/teach/explanation.ts";
import { parseValue } from "../../src/teach/value.ts";
import { formatValue, TABLES } from "../../src/wire/index.ts";
import { SAMPLES } from "../wire/samples.ts";

const PING = EXAMPLES.ping.bytes;

function bitOf(path: string, example: ExampleName = "ping"): number {
  return findField(explain(EXAMPLES[example].bytes), path).bit;
}

/** What the packet says after assignments. */
function after(texts: readonly string[], id: string, example: ExampleName = "ping"): string | undefined {
  const bytes = assign(EXAMPLES[example].bytes, texts.map(parseAssignment));
  return fieldsOf(explain(bytes)).find((field) => field.id === id)?.text;
}

describe("a path", () => {
  it.each([
    ["vni", 46 * 8],
    ["vxlan.vni", 46 * 8],
    ["flags.i", 42 * 8 + 4],
    ["I", 42 * 8 + 4],
    ["outer.ttl", 22 * 8],
    ["inner.ipv4.ttl", 72 * 8],
    ["source-port", 34 * 8],
    ["outer.udp.sourcePort", 34 * 8],
    ["inner.ethernet.source", 56 * 8],
    ["icmp-echo.type", 84 * 8],
  ])("%s", (path, bit) => {
    expect(bitOf(path)).toBe(bit);
  });

  it("by which several are meant is refused, with all of them", () => {
    expect(() => bitOf("ttl")).toThrow('"ttl" may be outer.ipv4.ttl and inner.ipv4.ttl: write more of it');
  });

  it("by which none is meant is refused, with what there is", () => {
    expect(() => bitOf("vxlan.vnj")).toThrow(
      /vxlan has reserved1, i, reserved2, reserved3, vni and reserved4/,
    );
    expect(() => bitOf("mss")).toThrow(/its headers are outer.ethernet, outer.ipv4, .* and inner.icmp-echo$/);
  });

  it("that is the id of a field means it, in every packet", () => {
    for (const [name, bytes] of Object.entries(SAMPLES)) {
      const explanation = explain(bytes);
      for (const { id, bit, value } of fieldsOf(explanation)) {
        if (value !== null) expect(findField(explanation, id).bit, `${name}: ${id}`).toBe(bit);
      }
    }
  });

  it("also means fields that the header gets by it: a group policy", () => {
    expect(after(["g=1", "group=100"], "vxlan-gbp.group")).toBe("100");
    expect(after(["g=0", "group=0"], "vxlan.vni", "gbp")).toBe("1");
  });
});

describe("a value", () => {
  it("is read as it is shown, of every field of every table", () => {
    for (const table of TABLES) {
      for (const one of table.fields) {
        const { name, width, format, names } = one;
        if (width === "rest") continue;
        const field = { id: `${table.name}.${name}`, width, format, names };
        const digits = fc.uint8Array({ minLength: Math.ceil(width / 8), maxLength: Math.ceil(width / 8) });
        const values =
          width > 48
            ? digits.map((bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(""))
            : fc.integer({ min: 0, max: 2 ** Math.min(width, 52) - 1 });
        fc.assert(
          fc.property(values, (value) => {
            if (format === "bytes") return;
            expect(parseValue(field, formatValue(one, value))).toBe(value);
          }),
          { seed: 3, numRuns: 20 },
        );
      }
    }
  });

  it.each([
    [
      "vni=16777216",
      /vxlan.vni: 16777216 does not fit into 24 bits; write a whole number from 0 to 16777215/,
    ],
    ["vni=two", /"two" is no value of it/],
    ["flags.i=2", /vxlan.i: 2 does not fit into 1 bits|no value/],
    ["outer.ipv4.source=172.19.0", /an IPv4 address, such as/],
    ["inner.ethernet.source=02:00", /six bytes, such as 02:42:ac:13:00:03/],
    ["vni", /assigns nothing: write field=value/],
  ])("%s is refused", (text, message) => {
    expect(() => assign(PING, [parseAssignment(text)])).toThrow(message);
  });

  it.each([
    ["icmp-echo.type=echo reply", "inner.icmp-echo.type", "0 echo reply"],
    ["flags.i=clear", "vxlan.i", "clear"],
    ["vni=0xabc", "vxlan.vni", "2748"],
  ])("%s", (text, id, shown) => {
    expect(after([text], id)).toBe(shown);
  });

  it("of IPv6 is read in each of its forms", () => {
    const read = (text: string) => parseValue({ id: "x", width: 128, format: "ipv6" }, text);
    expect(read("fd00:172:19::3")).toBe("fd000172001900000000000000000003");
    expect(read("::")).toBe("0".repeat(32));
    expect(read("::ffff:10.0.0.1")).toBe(`${"0".repeat(20)}ffff0a000001`);
    for (const wrong of ["fd00", "1::2::3", "1:2:3:4:5:6:7:8:9", "::1g", "1:2:3:4:5:6:7::8:9"]) {
      expect(() => read(wrong)).toThrow(/an IPv6 address/);
    }
  });
});

describe("checksums", () => {
  it("are put right, from the inside out", () => {
    for (const example of Object.keys(EXAMPLES) as ExampleName[]) {
      const { bytes } = EXAMPLES[example];
      const changed = assign(bytes, [parseAssignment("inner.ethernet.source=02:00:00:00:00:01")]);
      expect(fieldsOf(explain(changed)).filter(({ wrong }) => wrong)).toEqual([]);
    }
    expect(after(["inner.ttl=1"], "inner.ipv4.headerChecksum")).toMatch(/ right$/);
    expect(after(["outer.ttl=1"], "outer.ipv4.headerChecksum")).toMatch(/ right$/);
    expect(after(["inner.hopLimit=1"], "outer.udp.checksum", "ipv6")).toMatch(/ right$/);
  });

  it("stay as they are where somebody has given them, or wants them broken", () => {
    expect(
      after(
        ["headerChecksum=1"].map((text) => `outer.${text}`),
        "outer.ipv4.headerChecksum",
      ),
    ).toMatch(/wrong/);
    const left = assign(PING, [parseAssignment("outer.ttl=1")], { repair: false });
    expect(
      fieldsOf(explain(left))
        .filter(({ wrong }) => wrong)
        .map(({ id }) => id),
    ).toEqual(["outer.ipv4.headerChecksum"]);
  });

  it("nothing else changes: what is assigned as it was gives the same bytes", () => {
    for (const { bytes } of Object.values(EXAMPLES)) {
      const all = fieldsOf(explain(bytes)).filter(
        ({ value, format }) => value !== null && format !== "bytes",
      );
      const same = all.map(({ id, text }) => ({ path: id, value: text }));
      expect(assign(bytes, same)).toEqual(bytes);
    }
  });
});
