/** The VTEPs that get what is flooded, as settings and hands make them. */
import { expect, it } from "vitest";
import { startInlineEngine } from "../../src/agent/engine/inline-engine.ts";
import { ALL_ZEROS, FloodTargets } from "../../src/agent/flood.ts";
import { MemoryNetwork, MemoryTap } from "../../src/io/memory.ts";
import { OPTIONS } from "../dataplane/stages.ts";

it("says what a comparison would change, and leaves alone what was appended by hand", async () => {
  const underlay = new MemoryNetwork().attach({ address: Uint8Array.of(192, 0, 2, 1), port: 8472 });
  const engine = startInlineEngine(OPTIONS, new MemoryTap(), underlay);
  const targets = new FloodTargets(engine, 8472);
  const change = (op: "append" | "del", last: number) =>
    engine.ask({
      type: "update",
      changes: [{ op, mac: ALL_ZEROS, address: Uint8Array.of(192, 0, 2, last), port: 8472 }],
    });
  expect(await targets.reconcile(["192.0.2.7", "192.0.2.8"])).toBe(2);
  expect(await targets.plan()).toEqual([]);
  await change("append", 9);
  expect(await targets.plan()).toEqual([]);
  await change("del", 7);
  expect(await targets.plan()).toEqual([`fdb append ${ALL_ZEROS} dst 192.0.2.7 port 8472`]);
  expect(await targets.reconcile(["192.0.2.7"])).toBe(2);
  const rows = (await engine.ask({ type: "rows" })).filter(({ mac }) => mac === ALL_ZEROS);
  expect(rows.map(({ dst }) => dst).sort()).toEqual(["192.0.2.7", "192.0.2.9"]);
  await engine.stop();
});
