/** What a store tells of the leases that it holds, also over breaks. */
import { describe, expect, it } from "vitest";
import { until } from "../helpers/until.ts";
import { Clumsy, uncaught } from "./heard.ts";
import { attributesOf, subnetsOf, type World } from "./store-world.ts";

export function watchContract(world: World): void {
  describe("watch", () => {
    it("tells first all there is, be it nothing", async () => {
      await world.begin();
      const none = await world.observe();
      expect([none.calls, none.changes]).toEqual([1, []]);
      const strangers = [await world.put(1), await world.put(2), await world.put(3)];
      const all = await world.observe("node-98");
      await all.has(...strangers);
      expect(all.calls).toBe(1);
      await none.has(...strangers);
    });

    it("tells each lease that comes, changes and goes, once", async () => {
      await world.begin();
      const heard = await world.observe();
      const [one, two] = [await world.put(1), await world.put(2)];
      await heard.has(one, two);
      const changed = await world.put(1, 51);
      await heard.has(changed, two);
      await world.put(2); // what it says already
      await world.stage.remove(one.key);
      await heard.has(two);
      expect([heard.kinds(one.key), heard.kinds(two.key)]).toEqual([
        ["added", "changed", "removed"],
        ["added"],
      ]);
      expect(heard.troubles).toEqual([]);
    });

    it("tells of what is no lease, and when it is one again or gone", async () => {
      await world.begin();
      const key = await world.stage.spoil("stranger-1", subnetsOf(1));
      const heard = await world.observe();
      await until("it is told as bad", () => heard.badNow.has(key));
      const good = await world.put(2);
      await heard.has(good);
      const mended = await world.put(1);
      await heard.has(good, mended);
      await until("it is bad no more", () => !heard.badNow.has(key));
      await world.stage.spoil("stranger-1", subnetsOf(1));
      await heard.has(good);
      await until("it is bad again", () => heard.badNow.has(key));
      await world.stage.remove(key);
      await until("it is gone", () => !heard.badNow.has(key));
      expect(heard.badSaid).toEqual([
        [key, expect.any(String)],
        [key, null],
        [key, expect.any(String)],
        [key, null],
      ]);
      expect(heard.kinds(key)).toEqual(["added", "removed"]);
    });

    it("tells after a break what changed in it, nothing else, and that there was one", async () => {
      await world.begin();
      const before = [await world.put(1), await world.put(2), await world.put(3)];
      const heard = await world.observe();
      await heard.has(...before);
      await world.stage.cut();
      await until("the break is told", () => heard.troubles.length === 1);
      await world.stage.remove(before[0]!.key);
      const changed = await world.put(2, 52);
      const added = await world.put(4);
      expect([heard.changes.length, heard.troubles]).toEqual([3, [expect.any(String)]]);
      await world.stage.mend();
      await heard.has(changed, before[2]!, added);
      await until("the end of it is told", () => heard.troubles.length === 2);
      expect(heard.troubles[1]).toBe(null);
      expect(before.map(({ key }) => heard.kinds(key))).toEqual([
        ["added", "removed"],
        ["added", "changed"],
        ["added"],
      ]);
      const after = await world.put(5);
      await heard.has(changed, before[2]!, added, after);
    });

    it("goes on whatever its watcher throws, which is nobody's to catch and no trouble of the store's", async () => {
      await world.begin();
      const one = await world.put(1);
      const bad = await world.stage.spoil("stranger-2", subnetsOf(2));
      const store = await world.stage.open("node-1");
      const heard = new Clumsy();
      const errors = await uncaught(async () => {
        world.watch(store, heard);
        await heard.has(one);
        await until("it is told as bad", () => heard.badNow.has(bad));
        const three = await world.put(3);
        await heard.has(one, three);
        await world.stage.cut();
        await until("the break is told", () => heard.troubles.length === 1);
        await world.stage.mend();
        await until("the end of it is told", () => heard.troubles.length === 2);
        const four = await world.put(4);
        await heard.has(one, three, four);
      });
      expect(heard.troubles).toEqual([expect.not.stringContaining("clumsy"), null]);
      const told = heard.calls + heard.badSaid.length + heard.troubles.length;
      expect(errors).toEqual(new Array(told).fill(new Error("clumsy")));
    });

    it("begins while the store is out of reach, and tells all there is when it is back", async () => {
      await world.begin();
      const lease = await world.put(1);
      const store = await world.stage.open("node-1");
      await world.stage.cut();
      const heard = world.watch(store);
      await until("the break is told", () => heard.troubles.length === 1);
      expect(heard.calls).toBe(0);
      await world.stage.mend();
      await heard.has(lease);
      await until("the end of it is told", () => heard.troubles.length === 2);
      expect([heard.calls, heard.kinds(lease.key)]).toEqual([1, ["added"]]);
    });

    it("goes on while the node itself acquires, changes and releases its lease", async () => {
      await world.begin();
      const store = await world.stage.open("node-1");
      const heard = await world.listen(store);
      const lease = await world.acquire(store, 1);
      await heard.has(lease);
      const moved = await world.acquire(store, 1, { attributes: attributesOf(51) });
      await heard.has(moved);
      await store.release();
      await heard.has();
    });
  });
}
