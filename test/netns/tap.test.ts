/** The kernel's TAP, held to the contract of all TAPs. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { TAP_CLAUSES } from "../contract/tap.contract.ts";
import { describeWith, namespaces, shim, tun } from "../helpers/needs.ts";
import { Inside } from "./inside.ts";

describeWith([namespaces(), tun(), shim()], "a TAP of the kernel's", () => {
  let inside: Inside;
  let results: Record<string, string | null> = {};

  beforeAll(async () => {
    inside = new Inside(new URL("./tap-scenarios.ts", import.meta.url));
    results = await inside.run("contract");
  });
  afterAll(() => inside.remove());

  it.each(Object.keys(TAP_CLAUSES))("%s", (name) => {
    expect(results[name]).toBe(null);
  });
});
