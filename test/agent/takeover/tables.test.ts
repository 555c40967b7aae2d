/** What one dataplane knows, told and taken over by another, through what crosses between the processes: JSON. */
import { afterEach, expect, it } from "vitest";
import { type AgentConfig, loadConfig } from "../../../src/agent/config/load.ts";
import type { Device } from "../../../src/agent/device.ts";
import type { Engine } from "../../../src/agent/engine/engine.ts";
import { startInlineEngine } from "../../../src/agent/engine/inline-engine.ts";
import { joinQueues } from "../../../src/agent/engine/queues.ts";
import type { Forwarding } from "../../../src/agent/forwarding.ts";
import { Log } from "../../../src/agent/log.ts";
import { Overlay } from "../../../src/agent/overlay.ts";
import type { PathMemory } from "../../../src/agent/path-mtu/watch.ts";
import {
  describeState,
  describeTables,
  fillTables,
  restoreState,
} from "../../../src/agent/takeover/tables.ts";
import { MemoryNetwork, MemoryTap } from "../../../src/io/memory.ts";
import { parseMac } from "../../../src/wire/bytes.ts";
import { frame, MAC_A, MAC_B, vxlan } from "../../dataplane/frames.ts";
import { OPTIONS } from "../../dataplane/stages.ts";

const PORT = 8472;
const open: Engine[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((engine) => engine.stop()));
});

/** What `tables.ts` asks of a forwarding: one overlay over memory, in one queue or several. */
function forwarding(queues = 1) {
  const { config } = loadConfig({
    profile: "vtep",
    env: {},
    path: null,
    flags: { vni: "1", remote: ["192.0.2.9"] },
  });
  const network = new MemoryNetwork();
  const sender = network.attach({ address: Uint8Array.of(192, 0, 2, 9), port: PORT });
  const engines = Array.from({ length: queues }, () => {
    const underlay = network.attach({ address: Uint8Array.of(192, 0, 2, 10 + open.length), port: PORT });
    const engine = startInlineEngine(
      { ...OPTIONS, learning: true, senderCheck: "off" },
      new MemoryTap(),
      underlay,
    );
    open.push(engine);
    return engine;
  });
  let remembered: PathMemory[] = [];
  const paths = {
    get memory() {
      return remembered;
    },
    recall: async (memory: PathMemory[]) => {
      remembered = memory;
    },
  };
  const device = { name: "x0", mac: OPTIONS.mac } as Device;
  const overlay = new Overlay(
    joinQueues(engines),
    0,
    (config as AgentConfig).overlays[0],
    device,
    new Log("error"),
  );
  return {
    forwarding: { overlays: [overlay], paths } as unknown as Forwarding,
    overlay,
    engines,
    paths,
    sender,
  };
}

function acrossProcesses<T>(value: T): T {
  return JSON.parse(JSON.stringify(value));
}

it("rows, neighbours, what was learned with its packet, whose they are, paths and counters are the same", async () => {
  const old = forwarding();
  const { overlay } = old;
  const dst = "192.0.2.9";
  await overlay.peers.change({ op: "add", mac: MAC_B, dst });
  await overlay.peers.change({ op: "append", mac: "00:00:00:00:00:00", dst });
  await overlay.peers.change({ op: "append", mac: "00:00:00:00:00:00", dst: "192.0.2.77", port: 4789 });
  await overlay.neighbours.change({ op: "add", address: "10.0.0.7", mac: MAC_B });
  await overlay.neighbours.change({ op: "add", address: "fd00::7", mac: MAC_B });
  const lesson = {
    ...{ at: 1_700_000_000_000, address: dst, port: 40_000, length: 200 },
    frame: Uint8Array.from(vxlan(frame({})).slice(8, 104)),
  };
  const learned = { idle: 5, age: 100, moved: 7, moves: 3 };
  const { hi, lo } = parseMac(MAC_A);
  const vteps = [{ address: Uint8Array.of(192, 0, 2, 9), port: PORT }];
  const words = Int32Array.of(hi, lo, 0, learned.idle, learned.age, learned.moved, learned.moves, 1);
  await overlay.engine.ask({ type: "relearn", rows: { words, vteps, lessons: [lesson] } });
  await old.paths.recall([{ address: dst, route: 1400, routeAt: 3, probe: { bytes: 1400, at: 4 } }]);
  const counters = { ...overlay.engine.snapshot(), txFrames: 12, drops: { tx: { FDB_MISS: 1 }, rx: {} } };
  await overlay.engine.ask({ type: "count", counters: counters as never });

  const next = forwarding(2);
  await fillTables(next.forwarding, acrossProcesses(await describeTables(old.forwarding)));
  await restoreState(next.forwarding, acrossProcesses(await describeState(old.forwarding)));

  const known = async (engine: Engine) => ({
    rows: (await engine.ask({ type: "rows" })).toSorted((a, b) => (a.mac + a.dst < b.mac + b.dst ? -1 : 1)),
    why: await engine.ask({ type: "why", mac: MAC_A }),
    neighbours: (await engine.ask({ type: "neighbours" })).toSorted((a, b) =>
      a.address < b.address ? -1 : 1,
    ),
  });
  const wanted = await known(overlay.engine);
  expect(wanted.rows).toHaveLength(4);
  expect(wanted.why).toMatchObject([{ row: { learned }, lesson }]);
  // Each of its queues, and both together.
  for (const engine of [...next.engines, next.overlay.engine]) expect(await known(engine)).toEqual(wanted);
  expect(next.overlay.memory).toEqual(overlay.memory);
  expect(next.paths.memory).toEqual(old.paths.memory);
  expect(next.overlay.engine.snapshot()).toEqual(overlay.engine.snapshot());
});
