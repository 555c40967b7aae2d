/** Several overlays behind an engine: commands and counters go to the one that is named, in every queue. */
import { describe, expect, it } from "vitest";
import { startInlineEngine } from "../../../src/agent/engine/inline-engine.ts";
import { joinQueues } from "../../../src/agent/engine/queues.ts";
import type { DataplaneOptions, FdbUpdate } from "../../../src/dataplane/options.ts";
import { MemoryNetwork, MemoryTap } from "../../../src/io/memory.ts";
import { frame, MAC_B } from "../../dataplane/frames.ts";

const VNIS = [5, 6, 7];
const PORT = 8472;

/** An engine of three overlays on the event loop, at 192.0.2.`host`. */
function node(network: MemoryNetwork, host: number) {
  const address = Uint8Array.of(192, 0, 2, host);
  const policy = { mtu: 1450, reservedBits: "rfc", senderCheck: "strict", tos: 0 } as const;
  const of = (vni: number): DataplaneOptions => ({ ...policy, vni, mac: `02:00:00:00:00:0${host}` });
  const taps = VNIS.map((vni) => new MemoryTap({ name: `tap${vni}`, frames: 64, frameBytes: 2048 }));
  const more = VNIS.slice(1).map((vni, i) => ({ options: of(vni), tap: taps[i + 1]! }));
  const underlay = network.attach({ address, port: PORT });
  return { taps, engine: startInlineEngine(of(VNIS[0]!), taps[0]!, underlay, undefined, more) };
}

function row(host: number): FdbUpdate {
  return { op: "add", mac: MAC_B, address: Uint8Array.of(192, 0, 2, host), port: PORT };
}

async function until(is: () => boolean): Promise<void> {
  while (!is()) await new Promise((resolve) => setImmediate(resolve));
}

describe("several overlays on the event loop", () => {
  it("forward each between its own TAPs", async () => {
    const network = new MemoryNetwork();
    const [a, b] = [node(network, 1), node(network, 2)];
    for (const overlay of VNIS.keys()) {
      await a.engine.ask({ type: "update", overlay, changes: [row(2)] });
      await b.engine.ask({ type: "update", overlay, changes: [row(1)] });
    }
    for (let i = 0; i < 300; i++) {
      a.taps[i % 3]!.inject(frame({ payload: i }));
      await until(() => b.taps[i % 3]!.waiting > 0);
      expect(b.taps[i % 3]!.take()!.frame).toEqual(frame({ payload: i }));
      expect(b.taps.map((tap) => tap.waiting)).toEqual([0, 0, 0]);
    }
    expect(VNIS.map((_, overlay) => b.engine.snapshot(overlay).rxFrames)).toEqual([100, 100, 100]);
    expect(a.engine.snapshot().txFrames).toBe(300);
    await Promise.all([a.engine.stop(), b.engine.stop()]);
  });

  it("go on when a TAP that took nothing takes frames again", async () => {
    const network = new MemoryNetwork();
    const [a, b] = [node(network, 1), node(network, 2)];
    await a.engine.ask({ type: "update", overlay: 1, changes: [row(2)] });
    await b.engine.ask({ type: "update", overlay: 1, changes: [row(1)] });
    let taken = 0;
    for (let sent = 0; sent < 200; ) {
      if (a.taps[1]!.inject(frame({ payload: sent & 0xff }))) sent++;
      else await new Promise((resolve) => setImmediate(resolve));
      if (sent % 80 === 79) while (b.taps[1]!.take() !== null) taken++;
    }
    await until(() => {
      while (b.taps[1]!.take() !== null) taken++;
      return taken === 200;
    });
    await Promise.all([a.engine.stop(), b.engine.stop()]);
  });
});

describe("several overlays in several queues", () => {
  it("a change is made in one overlay of every queue, and in no other", async () => {
    const network = new MemoryNetwork();
    const nodes = [1, 2, 3].map((host) => node(network, host));
    const engine = joinQueues(nodes.map((one) => one.engine));
    expect(await engine.ask({ type: "update", overlay: 2, changes: [row(9)] })).toEqual([null]);
    const neighbour = { op: "add", address: Uint8Array.of(10, 0, 0, 1), mac: MAC_B } as const;
    await engine.ask({ type: "updateNeighbours", overlay: 1, changes: [neighbour] });
    for (const one of nodes) {
      const rows = await Promise.all(VNIS.map((_, overlay) => one.engine.ask({ type: "rows", overlay })));
      expect(rows.map((some) => some.map(({ vni, dst }) => [vni, dst]))).toEqual([
        [],
        [],
        [[7, "192.0.2.9"]],
      ]);
      const known = await Promise.all(
        VNIS.map((_, overlay) => one.engine.ask({ type: "neighbours", overlay })),
      );
      expect(known.map(({ length }) => length)).toEqual([0, 1, 0]);
    }
    expect(await engine.ask({ type: "rows", overlay: 2 })).toHaveLength(1);
    expect(await engine.ask({ type: "why", overlay: 2, mac: MAC_B })).toHaveLength(1);
    expect(await engine.ask({ type: "flush", overlay: 2 })).toBe(0);
    await engine.ask({ type: "age" });
    expect(engine.snapshot(2).txFrames).toBe(0);
    await engine.stop();
  });

  it("two of one VNI are refused", () => {
    const underlay = new MemoryNetwork().attach({ address: Uint8Array.of(192, 0, 2, 1), port: PORT });
    const options = {
      vni: 1,
      mac: MAC_B,
      mtu: 1450,
      reservedBits: "rfc",
      senderCheck: "off",
      tos: 0,
    } as const;
    const more = [{ options, tap: new MemoryTap() }];
    expect(() => startInlineEngine(options, new MemoryTap(), underlay, undefined, more)).toThrow(RangeError);
  });
});
