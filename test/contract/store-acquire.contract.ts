/** How a store gives subnets to nodes, by the configuration that it holds. */
import { describe, expect, it } from "vitest";
import { cidrContains, parseCidr } from "../../src/control/address.ts";
import type { NodeLease } from "../../src/control/flannel/node-lease.ts";
import { LeaseLost, StoreError } from "../../src/stores/store.ts";
import { until } from "../helpers/until.ts";
import { Heard } from "./heard.ts";
import { attributesOf, DUAL, IPV4, subnetsOf, type World } from "./store-world.ts";

/** Room for three nodes: the first subnet is not given away. */
const SMALL = '{"Network": "10.244.0.0/22", "SubnetLen": 24, "Backend": {"Type": "vxlan"}}';
const NETWORK = parseCidr("10.244.0.0/16");

async function failure(of: Promise<unknown>): Promise<StoreError> {
  const error = await of.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StoreError);
  return error as StoreError;
}

export function acquireContract(world: World): void {
  describe("the configuration", () => {
    it("is read as it was written", async () => {
      await world.begin();
      const store = await world.stage.open("node-1");
      expect((await store.readNetConf()).trim()).toBe(IPV4);
      expect(store.subnets).toBe(world.subnets);
      expect(store.name).not.toBe("");
    });

    it("is asked for, in words, where there is none", async () => {
      await world.begin(null);
      const { code, remedy } = await failure((await world.stage.open("node-1")).readNetConf());
      expect(code).toBe("STORE_NO_CONFIG");
      expect(remedy).not.toBe("");
    });
  });

  describe("acquire", () => {
    it("gives a node a subnet, publishes what it asks for, and finds it again where it is given", async () => {
      await world.begin();
      const store = await world.stage.open("node-1");
      expect((await store.readHints()).lease).toBe(null);
      const lease = await world.acquire(store, 1);
      expect(lease.attributes).toEqual(attributesOf(1));
      const { network, prefix } = parseCidr(lease.subnets.ipv4!);
      expect([prefix, cidrContains(NETWORK, network), lease.subnets.ipv6]).toEqual([24, true, null]);
      expect([...(await world.observe()).leases.values()]).toEqual([lease]);
      // What nodes pick is known by its public IP, and that two may have.
      expect((await store.readHints()).lease).toEqual(store.subnets === "picked" ? null : lease);
      await store.announce();
    });

    it("gives it both families", async () => {
      await world.begin(DUAL);
      const lease = await world.acquire(await world.stage.open("node-1"), 1, {
        conf: DUAL,
        attributes: attributesOf(1, true),
      });
      expect(parseCidr(lease.subnets.ipv4!).prefix).toBe(24);
      expect(parseCidr(lease.subnets.ipv6!).prefix).toBe(64);
      if (world.picked) expect([...(await world.observe()).leases.values()]).toEqual([lease]);
      expect(lease.attributes).toEqual(attributesOf(1, true));
    });

    it("gives the next process of a node the same again, and the others hear nothing of it", async () => {
      await world.begin();
      const first = await world.stage.open("node-1");
      const lease = await world.acquire(first, 1);
      await first.close();
      const heard = await world.observe();
      expect(await world.acquire(await world.stage.open("node-1"), 1)).toEqual(lease);
      const witness = await world.put(1);
      await heard.has(lease, witness);
      expect(heard.kinds(lease.key)).toEqual(["added"]);
    });

    it("publishes another address and MAC for the subnets it has; the others hear of one change", async () => {
      await world.begin();
      const store = await world.stage.open("node-1");
      const lease = await world.acquire(store, 1);
      const heard = await world.observe();
      const moved = await world.acquire(store, 1, { attributes: attributesOf(51) });
      expect(moved).toEqual({ ...lease, attributes: attributesOf(51) });
      await heard.has(moved);
      expect(heard.kinds(lease.key)).toEqual(["added", "changed"]);
    });

    it("gives nodes that race for one different subnets", async () => {
      await world.begin();
      const nodes = Array.from({ length: 12 }, (_, i) => i + 1);
      const stores = await Promise.all(nodes.map((n) => world.stage.open(`node-${n}`)));
      const leases = await Promise.all(stores.map((store, i) => world.acquire(store, i + 1)));
      expect(new Set(leases.map(({ subnets }) => subnets.ipv4)).size).toBe(nodes.length);
      const byKey = (all: Iterable<NodeLease>) => new Map([...all].map((lease) => [lease.key, lease]));
      expect((await world.observe()).leases).toEqual(byKey(leases));
    });

    it("fails with what to do while the store is out of reach, and works again when it is back", async () => {
      await world.begin();
      const store = await world.stage.open("node-1");
      await store.readNetConf();
      await world.stage.cut();
      const error = await failure(world.acquire(store, 1));
      expect([error.code, error.passing]).toEqual(["STORE_UNREACHABLE", true]);
      expect(error.message).not.toBe("");
      await world.stage.mend();
      let lease: NodeLease | null = null;
      await until("the lease is had", async () => {
        lease = await world.acquire(store, 1).catch(() => null);
        return lease !== null;
      });
      expect([...(await world.observe()).leases.values()]).toEqual([lease]);
    });
  });

  if (world.picked) {
    describe("a node that picks its subnets", () => {
      it("gets those it had before where they are free, and others where they are not", async () => {
        await world.begin();
        const previous = subnetsOf(7);
        expect((await world.acquire(await world.stage.open("node-1"), 1, { previous })).subnets).toEqual(
          previous,
        );
        const other = await world.acquire(await world.stage.open("node-2"), 2, { previous });
        expect(other.subnets.ipv4).not.toBe(previous.ipv4);
      });

      it("gets none that somebody else's entry names, lease or not", async () => {
        await world.begin(SMALL);
        await world.stage.put("stranger-1", { ipv4: "10.244.1.0/24", ipv6: null }, attributesOf(101));
        await world.stage.spoil("stranger-2", { ipv4: "10.244.3.0/24", ipv6: null });
        const { subnets } = await world.acquire(await world.stage.open("node-1"), 1, { conf: SMALL });
        expect(subnets.ipv4).toBe("10.244.2.0/24");
      });

      it("is told so when there is none left", async () => {
        await world.begin(SMALL);
        const had: NodeLease[] = [];
        for (const n of [1, 2, 3]) {
          had.push(await world.acquire(await world.stage.open(`node-${n}`), n, { conf: SMALL }));
        }
        const fourth = await world.stage.open("node-4");
        const { code, message, remedy } = await failure(world.acquire(fourth, 4, { conf: SMALL }));
        expect(code).toBe("STORE_NO_SUBNET");
        expect(message).toMatch(/: all 3 subnets from \S+ to \S+ are taken$/);
        expect(remedy).not.toBe("");
        await world.stage.remove(had[1]!.key);
        expect((await world.acquire(fourth, 4, { conf: SMALL })).subnets).toEqual(had[1]!.subnets);
      });

      it("loses its lease to a node with the same public address, and hears of it once", async () => {
        await world.begin();
        const store = await world.stage.open("node-1");
        const lease = await world.acquire(store, 1);
        const lost = world.keep(store);
        await Heard.all(store);
        const { backendData } = attributesOf(66);
        const attributes = { ...attributesOf(1), backendData };
        const taken = await world.acquire(await world.stage.open("node-66"), 66, { attributes });
        expect(taken.key).toBe(lease.key);
        await until("the loss is told", () => lost.length > 0);
        expect(lost[0]).toBeInstanceOf(LeaseLost);
        await (await world.observe()).has(taken);
        await store.release();
        expect(lost).toHaveLength(1);
        await (await world.observe("node-98")).has(taken);
      });
    });
  }
}
