import { describe, expect, it } from "vitest";
import type { Field } from "../../src/wire/field.ts";
import { TABLES } from "../../src/wire/tables.ts";

/** How many bytes the document says that the fixed part has. */
const LENGTHS: Record<string, number> = {
  ethernet: 14,
  vlan: 4,
  arp: 28,
  ipv4: 20,
  ipv6: 40,
  "ipv6-fragment": 8,
  udp: 8,
  tcp: 20,
  "icmp-echo": 8,
  "icmpv6-echo": 8,
  "nd-router-solicitation": 8,
  "nd-router-advertisement": 16,
  "nd-neighbour-solicitation": 24,
  "nd-neighbour-advertisement": 24,
  "nd-prefix": 32,
  "tcp-timestamps": 10,
  vxlan: 8,
  "vxlan-gbp": 8,
};

const texts = (field: Field) => [
  field.title,
  field.short,
  field.meaning,
  field.why,
  field.source,
  field.ifWrong,
];

describe("header tables", () => {
  it("have names of their own", () => {
    const names = TABLES.map((table) => table.name);
    expect(new Set(names).size).toBe(names.length);
  });

  it("have the lengths of their standards", () => {
    for (const [name, length] of Object.entries(LENGTHS)) {
      expect(TABLES.find((table) => table.name === name)?.length, name).toBe(length);
    }
  });
});

describe.each(TABLES.map((table) => [table.name, table] as const))("table %s", (_, table) => {
  it("has its fields side by side, filling the header", () => {
    let at = 0;
    for (const field of table.fields) {
      expect(field.at, field.name).toBe(at);
      if (field.width !== "rest") at += field.width;
    }
    expect(at).toBe(table.length * 8);
  });

  it("has a variable part only at the end", () => {
    table.fields.forEach((field, i) => {
      if (field.width === "rest") expect(i).toBe(table.fields.length - 1);
    });
  });

  it("has whole bytes where values are not numbers", () => {
    for (const field of table.fields) {
      if (field.width === "rest" || field.width > 48) expect(field.at % 8, field.name).toBe(0);
      if (field.width !== "rest" && field.width > 48) expect(field.width % 8, field.name).toBe(0);
    }
  });

  it("has field names of their own", () => {
    expect(new Set(table.fields.map((field) => field.name)).size).toBe(table.fields.length);
  });

  it("explains every field, and says where it is defined", () => {
    for (const field of table.fields) {
      for (const text of texts(field)) expect(text.trim(), field.name).not.toBe("");
      expect(field.source, field.name).toMatch(
        /^(RFC \d+(,| section| sections) .|IEEE 802\.\S+ clause \d|draft-\S+ section \d)/,
      );
      for (const text of [field.meaning, field.why, field.ifWrong]) {
        expect(text, field.name).toMatch(/^[A-Z0-9].*\.$/s);
      }
    }
  });

  it("keeps within the columns of a terminal", () => {
    for (const field of table.fields) {
      expect(field.title.length, field.title).toBeLessThanOrEqual(16);
      expect(field.short.length, field.short).toBeLessThanOrEqual(23);
    }
  });

  it("has flags of one bit, addresses of their size, and usual values that fit", () => {
    for (const field of table.fields) {
      if (field.format === "flag") expect(field.width, field.name).toBe(1);
      if (field.format === "mac") expect(field.width, field.name).toBe(48);
      if (field.format === "ipv4") expect(field.width, field.name).toBe(32);
      if (field.format === "ipv6") expect(field.width, field.name).toBe(128);
      if (field.usual !== undefined) expect(field.usual).toBeLessThan(2 ** (field.width as number));
    }
  });
});
