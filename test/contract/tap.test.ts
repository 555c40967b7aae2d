/** The TAP in memory, also behind middleware, held to the contract. The kernel's own: `test/netns/tap.test.ts`. */
import { describe, expect, it } from "vitest";
import type { Tap } from "../../src/dataplane/ports.ts";
import { MemoryTap } from "../../src/io/memory.ts";
import { FaultyTap, traceTap } from "../../src/io/middleware.ts";
import { type OpenTap, TAP_CLAUSES } from "./tap.contract.ts";

function open(wrap: (tap: Tap) => Tap): OpenTap {
  const tap = new MemoryTap();
  return {
    tap: wrap(tap),
    inject: (frame) => expect(tap.inject(frame)).toBe(true),
    taken: () => Array.from({ length: tap.waiting }, () => tap.take()!.frame),
  };
}

describe.each<[string, (tap: Tap) => Tap]>([
  ["the TAP in memory", (tap) => tap],
  ["traced", (tap) => traceTap(tap, () => {})],
  ["with faults, none of them likely", (tap) => new FaultyTap(tap, { seed: 1 })],
])("%s", (_title, wrap) => {
  it.each(Object.entries(TAP_CLAUSES))("%s", async (_name, clause) => {
    const opened = open(wrap);
    await clause(opened);
    opened.tap.close();
  });
});
