import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ASLEEP, AT_ONCE, type HowItEnded, SPINNING, spinPolicy } from "../../src/dataplane/spin.ts";

/** A machine on which packets come so many microseconds after the wait began. @returns microseconds that were spun */
function wait(policy: ReturnType<typeof spinPolicy>, micros: number, wanted = false): number {
  const { budget } = policy;
  if (micros === 0) policy.learn(AT_ONCE, 0, wanted);
  else if (micros <= budget) policy.learn(SPINNING, micros, wanted);
  else policy.learn(ASLEEP, micros, wanted);
  return Math.min(budget, micros);
}

/** Waits `times` times. @returns the microseconds that were spun, in all */
function waits(policy: ReturnType<typeof spinPolicy>, times: number, micros: number, wanted = false): number {
  let spun = 0;
  for (let i = 0; i < times; i++) spun += wait(policy, micros, wanted);
  return spun;
}

describe("spin: auto", () => {
  it("does not spin before anything has come", () => {
    expect(spinPolicy("auto").budget).toBe(0);
  });

  it("spins for longer than the answers take, after a handful of them, and at most 100 µs", () => {
    const policy = spinPolicy("auto");
    waits(policy, 8, 40);
    expect(policy.budget).toBe(100);
    waits(policy, 1000, 5);
    expect(policy.budget).toBe(100);
  });

  it.each([500, 1000, 1_000_000])("a node that hears something every %i µs sleeps in between", (micros) => {
    const policy = spinPolicy("auto");
    waits(policy, 100, 20);
    expect(policy.budget).toBe(100);
    // The end of the traffic costs a few spins, and what comes after it nothing.
    expect(waits(policy, 1000, micros)).toBeLessThan(200);
    expect(policy.budget).toBe(0);
  });

  it("tries a spin where answers take as long as two sleepers need to wake, and gives up where it meets nothing", () => {
    const policy = spinPolicy("auto");
    wait(policy, 300);
    expect(policy.budget).toBe(100);
    const spun = waits(policy, 10_000, 300);
    expect(spun / (10_000 * 300)).toBeLessThan(0.001);
  });

  it("stays where the trial has shown that the others answer at once when they are awake", () => {
    const policy = spinPolicy("auto");
    wait(policy, 300);
    waits(policy, 100, 30);
    expect(policy.budget).toBe(100);
  });

  it("what is there at once says nothing about waiting", () => {
    const policy = spinPolicy("auto");
    waits(policy, 1000, 0);
    expect(policy.budget).toBe(0);
  });

  it("meets the answers also where every second wait is a long one", () => {
    const policy = spinPolicy("auto");
    waits(policy, 8, 20);
    for (let i = 0; i < 100; i++) {
      waits(policy, 1, 300);
      expect(policy.budget).toBeGreaterThan(20);
      waits(policy, 1, 20);
    }
  });

  it("where the CPU is wanted it stops, for longer each time", () => {
    const policy = spinPolicy("auto");
    waits(policy, 8, 20);
    const pauses = Array.from({ length: 12 }, () => {
      waits(policy, 4, 20, true);
      let pause = 0;
      for (; policy.budget === 0; pause++) wait(policy, 20);
      return pause;
    });
    expect(pauses).toEqual([16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 8192, 8192]);
  });

  it("goes on where somebody wants the CPU once in a while", () => {
    const policy = spinPolicy("auto");
    waits(policy, 8, 20);
    for (let i = 0; i < 200; i++) {
      waits(policy, 20, 20);
      waits(policy, 1, 20, true);
      expect(policy.budget).toBeGreaterThan(0);
    }
  });

  it("a machine that is always busy spins next to nothing", () => {
    const policy = spinPolicy("auto");
    let spun = 0;
    for (let i = 0; i < 100_000; i++) spun += wait(policy, 60, policy.budget > 0);
    expect(spun / (100_000 * 60)).toBeLessThan(0.001);
  });

  it("forgets that it was busy after some thousand spins that nobody disturbed", () => {
    const policy = spinPolicy("auto");
    waits(policy, 8, 20);
    for (let i = 0; i < 4; i++) {
      waits(policy, 4, 20, true);
      while (policy.budget === 0) wait(policy, 20);
    }
    waits(policy, 1000, 20);
    waits(policy, 4, 20, true);
    let pause = 0;
    for (; policy.budget === 0; pause++) wait(policy, 20);
    expect(pause).toBe(16);
  });

  it("whatever happens, the budget is none or from 8 to 100 µs", () => {
    const step = fc.record({
      how: fc.constantFrom<HowItEnded>(AT_ONCE, SPINNING, ASLEEP),
      micros: fc.oneof(fc.nat(200), fc.nat(2 ** 31 - 1)),
      wanted: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const policy = spinPolicy("auto");
        for (const { how, micros, wanted } of steps) {
          policy.learn(how, micros, wanted);
          const { budget } = policy;
          expect(budget === 0 || (Number.isInteger(budget) && budget >= 8 && budget <= 100)).toBe(true);
        }
      }),
    );
  });
});

describe("spin: off, and a number", () => {
  it.each([
    ["off", 0],
    [0, 0],
    [30, 30],
  ] as const)("%s learns nothing", (setting, budget) => {
    const policy = spinPolicy(setting);
    waits(policy, 100, 20);
    waits(policy, 100, 20, true);
    expect(policy.budget).toBe(budget);
  });
});
