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
    };
    const bits = { POLLIN, POLLOUT, POLLERR, POLLHUP, POLLNVAL, TRUNCATED };
    expect(shim.loadShim().descriptor).toEqual({ ...words, ...bits });
  });

  it("leave TRUNCATED outside the bits of OUTER that have a meaning", () => {
    expect(shim.TRUNCATED & 0xffff00ff).toBe(0);
  });
});
