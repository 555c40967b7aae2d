/** How a store keeps a lease: what somebody removes comes back or is lost, and what ends it. */
import { describe, expect, it } from "vitest";
import type { NodeLease } from "../../src/control/flannel/node-lease.ts";
import { LeaseLost } from "../../src/stores/store.ts";
import { until } from "../helpers/until.ts";
import { Heard } from "./heard.ts";
import type { World } from "./store-world.ts";

async function isBackOrLost(lease: NodeLease, heard: Heard, lost: readonly LeaseLost[]): Promise<void> {
  await until("the lease is back, or lost", () => heard.leases.has(lease.key) || lost.length > 0);
  if (lost.length === 0) expect(heard.leases.get(lease.key)).toEqual(lease);
  else expect(lost).toEqual([expect.any(LeaseLost)]);
}

export function keepContract(world: World): void {
  describe("keep", () => {
    it("puts a lease back that somebody removed, or says that it is lost", async () => {
      await world.begin();
      const store = await world.stage.open("node-1");
      const lease = await world.acquire(store, 1);
      const lost = world.keep(store);
      await Heard.all(store);
      await world.stage.remove(lease.key);
      const heard = await world.observe();
      await isBackOrLost(lease, heard, lost);
    });

    it("puts a lease back that somebody removed before, or says that it is lost", async () => {
      await world.begin();
      const store = await world.stage.open("node-1");
      const lease = await world.acquire(store, 1);
      const heard = await Heard.all(store);
      await world.stage.remove(lease.key);
      await until("the loss is heard", () => !heard.leases.has(lease.key));
      const lost = world.keep(store);
      await isBackOrLost(lease, heard, lost);
    });
  });

  describe("release and close", () => {
    it("release gives the lease back at once, and is no loss", async () => {
      await world.begin();
      const store = await world.stage.open("node-1");
      const lease = await world.acquire(store, 1);
      const lost = world.keep(store);
      await Heard.all(store);
      const heard = await world.observe();
      await store.release();
      await heard.has();
      expect(heard.kinds(lease.key)).toEqual(["added", "removed"]);
      await store.release();
      if (world.picked) {
        const next = await world.acquire(await world.stage.open("node-2"), 2, { previous: lease.subnets });
        expect(next.subnets).toEqual(lease.subnets);
      }
      expect(lost).toEqual([]);
    });

    it("close leaves the lease, ends the telling, and can be called twice", async () => {
      await world.begin();
      const store = await world.stage.open("node-1");
      const lease = await world.acquire(store, 1);
      const heard = await Heard.all(store);
      await store.close();
      await store.close();
      const count = heard.changes.length;
      const stranger = await world.put(1);
      await (await world.observe()).has(lease, stranger);
      expect(heard.changes.length).toBe(count);
    });
  });
}
