import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LookSoon } from "../../src/agent/look-soon.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Looks that note when they begin, in milliseconds, and last as long as is said. */
function looks(lasts = 0, then: () => void = () => {}) {
  const begun: { at: number; why: string }[] = [];
  const start = performance.now();
  const soon = new LookSoon(async (why) => {
    begun.push({ at: performance.now() - start, why });
    await new Promise((resolve) => setTimeout(resolve, lasts));
    then();
  });
  return { soon, begun, times: () => begun.map(({ at }) => Math.round(at)) };
}

describe("LookSoon", () => {
  it("looks once, 50 ms after the first of several reasons, and tells the first", async () => {
    const { soon, begun } = looks();
    soon.ask("a");
    await vi.advanceTimersByTimeAsync(49);
    soon.ask("b");
    soon.ask("c");
    expect(begun).toEqual([]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(begun).toEqual([{ at: 50, why: "a (and 2 more)" }]);
  });

  it("a reason while a look runs begins the next half a second after its end", async () => {
    const { soon, begun } = looks(300);
    soon.ask("a");
    await vi.advanceTimersByTimeAsync(100);
    soon.ask("b");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(begun).toEqual([
      { at: 50, why: "a" },
      { at: 850, why: "b" },
    ]);
  });

  it("after a pause it is 50 ms again", async () => {
    const { soon, times } = looks();
    for (let i = 0; i < 3; i++) {
      soon.ask("a");
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(times()).toEqual([50, 1050, 2050]);
  });

  it("in a storm it looks twice a second, then more and more seldom, then every five seconds", async () => {
    const { soon, times } = looks();
    const storm = setInterval(() => soon.ask("storm"), 1);
    await vi.advanceTimersByTimeAsync(60_000);
    clearInterval(storm);
    const gaps = times().map((at, i, all) => at - (all[i - 1] ?? 0));
    expect(gaps.slice(1, 11).every((gap) => gap >= 500 && gap <= 501)).toBe(true);
    expect(gaps.slice(1).every((gap, i, all) => gap >= (all[i - 1] ?? 0) - 1)).toBe(true);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(5001);
    await vi.advanceTimersByTimeAsync(20_000);
    const [before] = times().slice(-1);
    soon.ask("after the storm");
    await vi.advanceTimersByTimeAsync(50);
    expect(times().at(-1)).not.toBe(before);
  });

  it("a look that fails is not the last", async () => {
    let begun = 0;
    const soon = new LookSoon(() => {
      begun++;
      throw new Error("no");
    });
    soon.ask("a");
    await vi.advanceTimersByTimeAsync(100);
    soon.ask("b");
    await vi.advanceTimersByTimeAsync(1000);
    expect(begun).toBe(2);
  });

  it("nothing begins after close, not even what a running look has asked for", async () => {
    const { soon, times } = looks(100);
    soon.ask("a");
    await vi.advanceTimersByTimeAsync(60);
    soon.ask("b");
    soon.close();
    soon.ask("c");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(times()).toEqual([50]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
