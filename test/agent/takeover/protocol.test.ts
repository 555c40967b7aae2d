import { expect, it } from "vitest";
import { TakeOverError } from "../../../src/agent/takeover/errors.ts";
import { heard, sharedClock, takeOverPath } from "../../../src/agent/takeover/protocol.ts";
import { exitCodeOf, explain } from "../../../src/cli/errors.ts";

it("a message is the one whose turn it is, or the conversation ends", () => {
  expect(heard({ type: "prepared" }, "prepared")).toEqual({ type: "prepared" });
  expect(heard({ type: "refused", message: "no" }, "accepted", "refused")).toMatchObject({ message: "no" });
  for (const [message, said] of [
    [{ type: "running" }, /"running" where "prepared" was due/],
    [{ type: 7 }, /what is no message where "prepared"/],
    [null, /what is no message/],
    [undefined, /what is no message/],
    ["prepared", /what is no message/],
  ] as const) {
    expect(() => heard(message, "prepared")).toThrow(said);
    expect(() => heard(message, "prepared")).toThrow(TakeOverError);
  }
});

it("says on the terminal what happened and what to do, with the exit code of its kind", () => {
  const codes = (["REFUSED", "PROTOCOL", "PERMISSION", "TIMEOUT", "LOST"] as const).map((code) => {
    const error = new TakeOverError(`TAKE_OVER_${code}`, "it does not", "do it otherwise");
    expect(explain(error)).toEqual(["poplin: it does not", "  → do it otherwise"]);
    return exitCodeOf(error);
  });
  expect(codes).toEqual([1, 1, 4, 5, 1]);
});

it("the clock is in milliseconds, and the same in every process of this machine", () => {
  const uptime = process.hrtime()[0] * 1000;
  expect(sharedClock()).toBeGreaterThanOrEqual(uptime);
  expect(sharedClock()).toBeLessThan(uptime + 60_000);
  expect(takeOverPath("/run/poplin/agent.sock")).toBe("/run/poplin/agent.sock.takeover");
});
