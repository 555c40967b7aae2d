/** What is special about hearing of changes in a folder. What all stores do: `test/contract/store.test.ts`. */
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { formatAttributes, type NodeLease, subnetKey } from "../../../src/control/flannel/node-lease.ts";
import { Heard } from "../../contract/heard.ts";
import { attributesOf, subnetsOf } from "../../contract/store-world.ts";
import { until } from "../../helpers/until.ts";
import { coarse, counting, type Hanging, hanging, remote, usual } from "./odd-filesystem.ts";
import { FileStage } from "./stage.ts";

const CONF = '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}';
const PATIENCE = 10_000;
/** Milliseconds for tests that take some on a machine that is busy. */
const LONG = 120_000;
/** The real one, also where time is faked. */
const afterRealTime = setTimeout;

let stage: FileStage;

beforeEach(async () => {
  stage = await FileStage.make(CONF);
});

afterEach(async () => {
  usual();
  await stage.close();
});

/** The lease of stranger n, with address and MAC of node `look`. */
function leaseOf(n: number, look = n): NodeLease {
  return { key: subnetKey(subnetsOf(n)), subnets: subnetsOf(n), attributes: attributesOf(look) };
}

async function put(n: number, look = n): Promise<NodeLease> {
  const lease = leaseOf(n, look);
  await stage.write(lease.key, formatAttributes(lease.attributes));
  return lease;
}

/** Lets faked time pass until something holds, ten times as fast as the real one, in which files are read. */
async function pass(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await vi.advanceTimersByTimeAsync(10);
    await realTime(1);
  }
}

/** Waits while faked time stands still: a look that has begun ends, and none begins. */
async function realTime(ms: number): Promise<void> {
  await new Promise((resolve) => afterRealTime(resolve, ms));
}

/** Faked time stands still after the first look, however long that one takes. */
async function firstLook(heard: Heard): Promise<void> {
  await vi.advanceTimersByTimeAsync(1);
  while (heard.calls === 0) await realTime(5);
  await realTime(500); // what it hints at and tells afterwards
}

async function listen(): Promise<Heard> {
  return Heard.all(await stage.open());
}

describe("a look", () => {
  it("costs one stat where nothing has changed", async () => {
    await put(1);
    const heard = await listen();
    const asked = counting();
    // For as long as a change could hide behind the tick of the last one, more is looked at: the last of it are two.
    await until("looks that cost one stat", () => asked.slice(-4).join() === "stat,stat,stat,stat");
    const changed = await put(2);
    await heard.has(leaseOf(1), changed);
    expect(heard.faults).toEqual([]);
  });

  it("hears of a lease that was written in place", async () => {
    const { key } = await put(1);
    const heard = await listen();
    const changed = leaseOf(1, 51);
    await writeFile(stage.path(key), formatAttributes(changed.attributes));
    await heard.has(changed);
    expect([heard.kinds(key), heard.badSaid]).toEqual([["added", "changed"], []]);
  });
});

describe("a share of another machine's", () => {
  it("tells within a minute of a lease that was written in place, which leaves its folder the same", async () => {
    remote();
    const lease = await put(1);
    const heard = new Heard();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    try {
      (await stage.open()).watch(heard);
      await firstLook(heard);
      const begin = performance.now();
      await pass(() => performance.now() > begin + 5000);
      expect(heard.kinds(lease.key)).toEqual(["added"]);
      await writeFile(stage.path(lease.key), formatAttributes(attributesOf(51)));
      await pass(() => heard.changes.length > 1);
      // The faked time goes on while what is real is read.
      expect(performance.now() - begin).toBeLessThan(5000 + 60_000);
    } finally {
      vi.useRealTimers();
    }
    expect(heard.leases.get(lease.key)?.attributes).toEqual(attributesOf(51));
  });
});

describe("a share that is away", () => {
  it("is told once, for as long as it takes, also where only the leases' folder is gone", async () => {
    const lease = await put(1);
    const heard = await listen();
    const [folder, aside] = [join(stage.directory, "subnets"), join(stage.directory, "aside")];
    await rename(folder, aside);
    await until("it is told", () => heard.troubles.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await rename(aside, folder);
    await until("its return is told", () => heard.troubles.length === 2);
    const added = await put(2);
    await heard.has(lease, added);
    expect(heard.troubles).toEqual([expect.stringMatching(/ENOENT/), null]);
    expect([heard.kinds(lease.key), heard.faults]).toEqual([["added"], []]);
  });

  it("is not taken for empty when a folder is on the place it was mounted on", async () => {
    const lease = await put(1);
    const heard = await listen();
    await stage.cut();
    await mkdir(join(stage.directory, "subnets"), { recursive: true });
    await until("it is told", () => heard.troubles.length === 1);
    expect(heard.troubles).toEqual([expect.stringMatching(/is the share mounted/)]);
    await rm(stage.directory, { recursive: true });
    await stage.mend();
    await until("its return is told", () => heard.troubles.length === 2);
    expect(heard.kinds(lease.key)).toEqual(["added"]);
  });

  it("hints at changes again when it is back: the folder is another one", async () => {
    const lease = await put(1);
    const heard = await listen();
    await stage.cut();
    await until("it is told", () => heard.troubles.length === 1);
    await mkdir(join(stage.directory, "subnets"), { recursive: true });
    await writeFile(join(stage.directory, "config"), CONF);
    await until("its return is told", () => heard.troubles.length === 2);
    await heard.has();
    const whole = join(stage.directory, "subnets", lease.key);
    await writeFile(whole, formatAttributes(attributesOf(1)));
    await heard.has(lease);
    await rm(stage.directory, { recursive: true });
    await stage.mend();
  });

  it("holds up one look and nothing else while it does not answer, and counts as away in time", async () => {
    const lease = await put(1);
    const heard = new Heard();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    let share: Hanging | null = null;
    try {
      (await stage.open()).watch(heard);
      await firstLook(heard);
      share = hanging();
      const { waiting } = share;
      await pass(() => waiting.length > 0);
      await vi.advanceTimersByTimeAsync(PATIENCE - 100);
      expect([waiting.length, heard.troubles]).toEqual([1, []]);
      await vi.advanceTimersByTimeAsync(10 * PATIENCE);
      expect(waiting).toHaveLength(1);
      expect(heard.troubles).toEqual([expect.stringMatching(/does not answer/)]);
    } finally {
      vi.useRealTimers();
      share?.answer();
    }
    await until("it answers again", () => heard.troubles.length === 2);
    expect([heard.troubles[1], heard.kinds(lease.key)]).toEqual([null, ["added"]]);
  });
});

/** A change that somebody makes: to stranger n's file, which then looks like node `look`'s; null removes it. */
type Step = readonly [n: number, look: number | null, pause: number];

/** @param longest milliseconds between two changes */
function steps(longest: number): fc.Arbitrary<Step[]> {
  const step = fc.tuple(fc.nat(4), fc.option(fc.nat(9), { freq: 3, nil: null }), fc.nat(longest));
  return fc.array(step, { minLength: 20, maxLength: 40, size: "max" });
}

/** Makes the changes, in an order that the watcher's looks fall into, and compares what it told with what there is. */
async function follow(world: FileStage, all: readonly Step[]): Promise<void> {
  const heard = await Heard.all(await world.open());
  const there = new Map<number, NodeLease>();
  for (const [n, look, pause] of all) {
    const lease = leaseOf(n, look ?? 0);
    if (look !== null) {
      await world.write(lease.key, formatAttributes(lease.attributes));
      there.set(n, lease);
    } else if (there.delete(n)) await world.remove(lease.key);
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
  }
  await heard.has(...there.values());
  expect([heard.faults, heard.badSaid, heard.troubles]).toEqual([[], [], []]);
}

describe("whatever is put, replaced and removed, a watcher ends with what there is, each difference told once", () => {
  async function inWorlds(all: readonly Step[]): Promise<void> {
    const world = await FileStage.make(CONF);
    try {
      await follow(world, all);
    } finally {
      await world.close();
    }
  }

  it(
    "on a local filesystem",
    async () => {
      await fc.assert(fc.asyncProperty(steps(15), inWorlds), { numRuns: 10, seed: 11 });
    },
    LONG,
  );

  it(
    "on a share whose times have ticks of two seconds, by which two files cannot be told apart",
    async () => {
      coarse();
      const several = fc.array(steps(150), { minLength: 8, maxLength: 8 });
      // Side by side: each takes a few seconds until no tick can hide anything.
      await fc.assert(
        fc.asyncProperty(several, async (worlds) => void (await Promise.all(worlds.map(inWorlds)))),
        { numRuns: 2, seed: 12 },
      );
    },
    LONG,
  );
});
