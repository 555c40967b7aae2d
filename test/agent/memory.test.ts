/** Garbage of many changes, collected once they are over. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Garbage, releaseGarbage } from "../../src/agent/memory.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("is collected once after a crowd of changes, and again after the next", () => {
  const release = vi.fn(async () => {});
  const garbage = new Garbage(release);
  for (let i = 0; i < 30; i++) garbage.made(100);
  vi.advanceTimersByTime(60_000);
  expect(release).toHaveBeenCalledTimes(1);
  garbage.made(1000);
  vi.advanceTimersByTime(60_000);
  expect(release).toHaveBeenCalledTimes(2);
});

it("of few changes is left to V8, and of many, too, when the agent ends", () => {
  const release = vi.fn(async () => {});
  const garbage = new Garbage(release);
  garbage.made(20);
  vi.advanceTimersByTime(60_000);
  garbage.made(1000);
  garbage.close();
  vi.advanceTimersByTime(60_000);
  expect(release).not.toHaveBeenCalled();
});

it("is really given back", async () => {
  vi.useRealTimers();
  let heap: unknown = Array.from({ length: 300_000 }, (_, i) => ({ i }));
  const before = process.memoryUsage().heapUsed;
  heap = null;
  await releaseGarbage();
  expect([heap, process.memoryUsage().heapUsed < before - 5e6]).toEqual([null, true]);
});
