import { describe, expect, it } from "vitest";
import { Poller } from "../../src/stores/poller.ts";
import { until } from "../helpers/until.ts";

const NEVER = 1e9;

/** Looks that end when the test says so. */
class Looks {
  begun = 0;
  readonly #ends: ((next: number) => void)[] = [];
  readonly look = (): Promise<number> => {
    this.begun++;
    return new Promise((resolve) => this.#ends.push(resolve));
  };

  end(next: number): void {
    for (const end of this.#ends.splice(0)) end(next);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

describe("Poller", () => {
  it("looks when it is asked to, and again after as long as the look said", async () => {
    const times: number[] = [];
    const poller = new Poller(async () => {
      times.push(performance.now());
      return times.length < 3 ? 20 : NEVER;
    });
    poller.within(0);
    await until("three looks", () => times.length === 3);
    // A timer of Node's may come a millisecond early.
    for (const i of [1, 2]) expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(18);
    poller.close();
  });

  it("has one look at a time: one that hangs holds up the next, however often that is asked for", async () => {
    const looks = new Looks();
    const poller = new Poller(looks.look);
    poller.within(0);
    await until("a look", () => looks.begun === 1);
    for (let i = 0; i < 5; i++) poller.within(0);
    await pause(50);
    expect(looks.begun).toBe(1);
    looks.end(NEVER);
    await until("the one that was asked for meanwhile", () => looks.begun === 2);
    looks.end(NEVER);
    await pause(50);
    expect(looks.begun).toBe(2);
    poller.close();
  });

  it("looks sooner than it would have, and never later", async () => {
    const looks = new Looks();
    const poller = new Poller(looks.look);
    poller.within(NEVER);
    poller.within(0);
    poller.within(NEVER);
    await until("a look", () => looks.begun === 1);
    poller.close();
  });

  it("does not look once it is closed, nor again after a look that was under way", async () => {
    const looks = new Looks();
    const poller = new Poller(looks.look);
    poller.within(0);
    await until("a look", () => looks.begun === 1);
    poller.within(0);
    poller.close();
    looks.end(0);
    poller.within(0);
    await pause(50);
    expect(looks.begun).toBe(1);
  });
});
