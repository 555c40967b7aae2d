/** What a node knows is the same after a take-over: rows and whose they are, what was learned and when, counters. */
import { afterEach, expect, it } from "vitest";
import type { CounterSnapshot } from "../../../src/dataplane/counters.ts";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { sleep } from "../agents.ts";
import { Bridged, ping } from "../bridged.ts";

let bridged: Bridged | undefined;
afterEach(() => bridged?.destroy());

const BY_HAND = "02:00:00:00:00:77";

/** Counters that are smaller in the later of two snapshots. */
function backwards(earlier: CounterSnapshot, later: CounterSnapshot): string[] {
  const { drops: dropsBefore, ...before } = earlier;
  const { drops: dropsAfter, ...after } = later;
  const names = Object.keys(before).filter(
    (name) => after[name as keyof typeof after] < before[name as keyof typeof before],
  );
  for (const direction of ["tx", "rx"] as const) {
    for (const [reason, n] of Object.entries(dropsBefore[direction])) {
      if (((dropsAfter[direction] as Record<string, number>)[reason] ?? 0) < n) names.push(reason);
    }
  }
  return names;
}

describeWith([lab(), tool("ping"), tool("bridge")], "a VXLAN device that learns, taken over", () => {
  it("has the rows that were learned, with their age and their packet, those by hand, and its counters", async () => {
    bridged = await Bridged.start({
      family: 4,
      port: 8472,
      args: ["--proxy", "--proxy-unknown", "forward", "--ageing", "600"],
    });
    const { p, k, l, client } = bridged;
    expect(await ping(p, `10.9.0.${k.number}`)).toBe(3);
    expect(await ping(p, `10.9.0.${l.number}`)).toBe(3);
    await client.changeFdb({ op: "add", mac: BY_HAND, dst: k.address });
    await client.changeFdb({ op: "append", mac: "00:00:00:00:00:00", dst: "172.19.0.77" });
    await client.changeNeighbour({ op: "add", address: "10.9.0.77", mac: BY_HAND });
    await sleep(2500);
    const before = await seen();

    const snapshots: CounterSnapshot[] = [await client.stats()];
    const watching = watchCounters(snapshots);
    expect(await bridged.takeOver()).toBe(0);
    expect(await bridged.takeOver()).toBe(0);
    // Whoever is answered in the very moment of the change may be told to ask again.
    expect(await watching.end()).toBeLessThanOrEqual(2);

    const after = await seen();
    const permanent = (rows: readonly string[]) => rows.filter((row) => row.includes("permanent"));
    expect(permanent(after.rows)).toEqual(permanent(before.rows));
    // What hosts say by themselves meanwhile is learned, too.
    expect(after.rows).toEqual(expect.arrayContaining(before.rows));
    expect(after.neighbours).toEqual(before.neighbours);
    expect(after.whys).toEqual(expect.arrayContaining(before.whys));
    for (const [mac, { age }] of Object.entries(before.ages))
      expect(after.ages[mac]!.age).toBeGreaterThanOrEqual(age);
    expect(after.ages[k.mac]!.age).toBeGreaterThanOrEqual(2);
    for (const [i, later] of snapshots.slice(1).entries())
      expect(backwards(snapshots[i]!, later)).toEqual([]);
    expect(snapshots.length).toBeGreaterThan(5);

    // By hand is by hand also for the new one: a comparison leaves it alone.
    expect(await client.reconcile()).toBe(0);
    expect(permanent((await seen()).rows)).toEqual(permanent(before.rows));
    expect(await ping(p, `10.9.0.${k.number}`)).toBe(3);
    // It still learns: what has moved moves.
    expect((await bridged.learned())[l.mac]?.dst).toBe(l.address);
  });
});

/** All that can be asked for, but for what changes by itself. */
async function seen() {
  const { client } = bridged!;
  const rows = await client.fdb();
  const learned = rows.filter(({ state }) => state === "learned");
  const whys = await Promise.all(learned.map(({ mac }) => client.why(mac)));
  return {
    rows: rows.map(({ mac, dst, port, state, vni }) => `${mac} ${dst} ${port} ${state} ${vni}`).sort(),
    neighbours: (await client.neighbours()).map(({ address, mac }) => `${address} ${mac}`).sort(),
    whys: whys
      .flatMap((reasons) => reasons.map(({ row, lesson }) => `${row.mac} ${JSON.stringify(lesson)}`))
      .sort(),
    ages: Object.fromEntries(learned.map(({ mac, learned: ages }) => [mac, ages!])),
  };
}

/** Asks for the counters all the time. */
function watchCounters(snapshots: CounterSnapshot[]) {
  let on = true;
  let missing = 0;
  const watching = (async () => {
    while (on) {
      const snapshot = await bridged!.client.stats().catch(() => null);
      if (snapshot === null) missing++;
      else snapshots.push(snapshot);
      await sleep(5);
    }
  })();
  return {
    /** @returns how many questions nobody answered */
    async end(): Promise<number> {
      on = false;
      await watching;
      return missing;
    },
  };
}
