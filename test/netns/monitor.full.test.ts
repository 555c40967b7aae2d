/** Somebody changes what the agent looks after, and the monitor says so. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { describeWith, namespaces, shim } from "../helpers/needs.ts";
import { Inside } from "./inside.ts";
import { REASONS } from "./monitor-reasons.ts";
import type * as Scenarios from "./monitor-scenarios.ts";

type Result<Name extends keyof typeof Scenarios> = Awaited<ReturnType<(typeof Scenarios)[Name]>>;

describeWith([namespaces(), shim()], "the monitor", () => {
  let inside: Inside;
  beforeEach(() => {
    inside = new Inside(new URL("./monitor-scenarios.ts", import.meta.url));
  });
  afterEach(() => inside.remove());

  it("has a reason to look for each change of our device, its rows and the uplink", async () => {
    expect(await inside.run("reasons")).toEqual(REASONS);
  });

  it("what a pass puts right asks for one more pass, which finds nothing to do, and then there is rest", async () => {
    const { results, left } = await inside.run<Result<"settling">>("settling");
    for (const [change, passes] of Object.entries(results)) {
      expect(passes[0], change).toBeGreaterThan(0);
      expect(passes.at(-1), change).toBe(0);
      // One that repairs and one that finds nothing; two more where the carrier is told of late, on a slow machine.
      expect(passes.length, change).toBeLessThanOrEqual(4);
    }
    expect(left).toBe(0);
  });

  it("a storm of routes is a few looks, and what comes after it is heard", async () => {
    const { looks, most, after } = await inside.run<Result<"storm">>("storm");
    expect(looks).toBeLessThanOrEqual(most);
    expect(after).toEqual(["10.244.2.0/24 dev flannel.1 deleted"]);
  });

  it("is not woken by what others do, however much", async () => {
    const { meanwhile, looks } = await inside.run<Result<"idle">>("idle");
    expect(meanwhile).toBe(0);
    expect(looks).toEqual(["10.244.2.0/24 dev flannel.1 deleted"]);
  });
});
