import { describe, expect, it } from "vitest";
import { formatGroupPolicy, groupPolicy } from "../../../src/agent/config/group-policy.ts";

describe("the setting gbp", () => {
  it.each([
    ["off", "off", "off"],
    [false, "off", "off"],
    ["on", { group: 0, dontLearn: false, applied: false }, "on"],
    [true, { group: 0, dontLearn: false, applied: false }, "on"],
    [0, { group: 0, dontLearn: false, applied: false }, "on"],
    [100, { group: 100, dontLearn: false, applied: false }, "100"],
    ["0xffff", { group: 65_535, dontLearn: false, applied: false }, "65535"],
    ["0,applied", { group: 0, dontLearn: false, applied: true }, "0,applied"],
    [" 100 , applied, dontLearn ", { group: 100, dontLearn: true, applied: true }, "100,dontLearn,applied"],
  ] as const)("%j", (raw, value, text) => {
    expect(groupPolicy(raw)).toEqual({ ok: true, value });
    expect(formatGroupPolicy(value)).toBe(text);
    expect(groupPolicy(text)).toEqual({ ok: true, value });
  });

  it.each(["", "x", "-1", "65536", "1,", "1,learn", "on,applied,off", "1.5"])("%j is a mistake", (raw) => {
    expect(groupPolicy(raw)).toMatchObject({
      ok: false,
      message: expect.stringContaining(JSON.stringify(raw)),
    });
  });
});
