import { describe, expect, it } from "vitest";
import * as ring from "../../../src/dataplane/ring.ts";
import * as shim from "../../../src/io/linux/shim.ts";

describe("the numbers that C and TypeScript share", () => {
  it("are the same on both sides", () => {
    const {
      SLOT,
      HEAD_OFFSET,
      HEAD_LENGTH,
      OFFSET,
      LENGTH,
      PEER,
      OUTER,
      SEGMENT,
      WORDS,
      ADDRESS_BYTES,
      FOLLOW_SHIFT,
      VTEP_MASK,
      TTL_SHIFT,
      DONT_FRAGMENT,
    } = ring;
    const { POLLIN, POLLOUT, POLLERR, POLLHUP, POLLNVAL, TRUNCATED } = shim;
    const words = {
      SLOT,
      HEAD_OFFSET,
      HEAD_LENGTH,
      OFFSET,
      LENGTH,
      PEER,
      OUTER,
      SEGMENT,
      WORDS,
      ADDRESS_BYTES,
      FOLLOW_SHIFT,
      VTEP_MASK,
      TTL_SHIFT,
      DONT_FRAGMENT,
    };
    const bits = { POLLIN, POLLOUT, POLLERR, POLLHUP, POLLNVAL, TRUNCATED };
    expect(shim.loadShim().descriptor).toEqual({ ...words, ...bits });
  });

  it("leave TRUNCATED, SUPER and DONT_FRAGMENT outside the bits of OUTER that have a meaning, and apart", () => {
    const bits = [shim.TRUNCATED, ring.SUPER, ring.DONT_FRAGMENT, 0xffff00ff];
    expect(bits.reduce((a, b) => a ^ b)).toBe(bits.reduce((a, b) => a | b));
  });
});
