/**
 * What every store must do: the contract at the head of `src/stores/store.ts`. Each store brings a stage: a world of its
 * own for one test, in which nodes open the store, others write to it past us, and the way to it breaks.
 *
 *   our nodes     "node-1", "node-2", …: they open the store. Where the cluster assigns subnets the stage gives node-N
 *                 10.244.N.0/24, and fd00:10:244:N::/64 where the configuration has IPv6
 *   strangers     "stranger-1", …: flannel nodes that the stage writes down; 10.244.(100+N).0/24
 */
import { afterEach, describe, expect, it } from "vitest";
import { cidrContains, parseCidr } from "../../src/control/address.ts";
import { type NetConf, parseNetConf, type SubnetSource } from "../../src/control/flannel/net-conf.ts";
import {
  type LeaseAttributes,
  type NodeLease,
  type NodeSubnets,
  vxlanData,
} from "../../src/control/flannel/node-lease.ts";
import { LeaseLost, type Store, StoreError } from "../../src/stores/store.ts";
import { Clumsy, Heard, uncaught, until } from "./heard.ts";

/** One store's world, empty but for the configuration. */
export interface Stage {
  /** Opens the store as the process of this node would when it starts; twice for two processes of one node. */
  open(node: string): Promise<Store>;
  /**
   * Makes or replaces the entry of a stranger, whole, as flannel writes it.
   * @returns its key
   */
  put(stranger: string, subnets: NodeSubnets, attributes: LeaseAttributes): Promise<string>;
  /**
   * Makes or replaces the same entry by one that is no lease.
   * @returns its key, the one that `put` returns
   */
  spoil(stranger: string, subnets: NodeSubnets): Promise<string>;
  /** Removes an entry, whoever's, past the stores: a file, an etcd key, a node of Kubernetes. */
  remove(key: string): Promise<void>;
  /** Puts the store out of reach of all that `open` returned. `put`, `spoil` and `remove` still reach it. */
  cut(): Promise<void>;
  /** Undoes `cut`. */
  mend(): Promise<void>;
  /** Closes whatever is open still, and removes all of it; also while the way is cut. */
  close(): Promise<void>;
}

export interface StoreSubject {
  readonly subnets: SubnetSource;
  /** @param conf the text of net-conf.json; null: there is none */
  make(conf: string | null): Promise<Stage>;
}

const IPV4 = '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}';
const DUAL =
  '{"Network": "10.244.0.0/16", "EnableIPv6": true, "IPv6Network": "fd00:10:244::/48", "Backend": {"Type": "vxlan"}}';
/** Room for three nodes: the first subnet is not given away. */
const SMALL = '{"Network": "10.244.0.0/22", "SubnetLen": 24, "Backend": {"Type": "vxlan"}}';
const NETWORK = parseCidr("10.244.0.0/16");

/** What node n publishes. */
export function attributesOf(n: number, dual = false): LeaseAttributes {
  return {
    publicIp: `192.0.2.${n}`,
    publicIpv6: dual ? `2001:db8::${n}` : null,
    backendType: "vxlan",
    backendData: vxlanData(1, `0a:00:00:00:04:${n.toString(16).padStart(2, "0")}`),
    backendV6Data: dual ? vxlanData(1, `0a:00:00:00:06:${n.toString(16).padStart(2, "0")}`) : null,
  };
}

/** The subnet of stranger n. */
export function subnetsOf(n: number): NodeSubnets {
  return { ipv4: `10.244.${100 + n}.0/24`, ipv6: null };
}

export function confOf(text: string, source: SubnetSource): NetConf {
  const { conf, problems } = parseNetConf(text, source);
  if (conf === null) throw new Error(JSON.stringify(problems));
  return conf;
}

export function storeContract(title: string, subject: StoreSubject): void {
  describe(title, () => {
    const picked = subject.subnets === "picked";
    let stage: Stage;
    const heards: Heard[] = [];

    async function world(conf: string | null = IPV4): Promise<void> {
      stage = await subject.make(conf);
    }

    afterEach(async () => {
      await stage?.close();
      expect(heards.splice(0).flatMap(({ faults }) => faults)).toEqual([]);
    });

    /** What somebody who looks now sees: the observer has no lease. */
    async function observe(node = "node-99"): Promise<Heard> {
      const heard = await Heard.all(await stage.open(node));
      heards.push(heard);
      return heard;
    }

    /** Puts stranger n, with MAC and address of node `look`. */
    async function put(n: number, look = n): Promise<NodeLease> {
      const [subnets, attributes] = [subnetsOf(n), attributesOf(look)];
      return { key: await stage.put(`stranger-${n}`, subnets, attributes), subnets, attributes };
    }

    function acquire(
      store: Store,
      n: number,
      { conf = IPV4, previous = null as NodeSubnets | null, attributes = attributesOf(n) } = {},
    ): Promise<NodeLease> {
      return store.acquire({ conf: confOf(conf, subject.subnets), attributes, previous });
    }

    /** @returns to which the loss of the lease is added, if it is lost */
    function keep(store: Store): readonly LeaseLost[] {
      const lost: LeaseLost[] = [];
      store.keep(
        (error) => lost.push(error),
        () => {},
      );
      return lost;
    }

    async function isBackOrLost(lease: NodeLease, heard: Heard, lost: readonly LeaseLost[]): Promise<void> {
      await until("the lease is back, or lost", () => heard.leases.has(lease.key) || lost.length > 0);
      if (lost.length === 0) expect(heard.leases.get(lease.key)).toEqual(lease);
      else expect(lost).toEqual([expect.any(LeaseLost)]);
    }

    async function failure(of: Promise<unknown>): Promise<StoreError> {
      const error = await of.then(
        () => null,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(StoreError);
      return error as StoreError;
    }

    describe("the configuration", () => {
      it("is read as it was written", async () => {
        await world();
        const store = await stage.open("node-1");
        expect((await store.readNetConf()).trim()).toBe(IPV4);
        expect(store.subnets).toBe(subject.subnets);
        expect(store.name).not.toBe("");
      });

      it("is asked for, in words, where there is none", async () => {
        await world(null);
        const { code, remedy } = await failure((await stage.open("node-1")).readNetConf());
        expect(code).toBe("STORE_NO_CONFIG");
        expect(remedy).not.toBe("");
      });
    });

    describe("acquire", () => {
      it("gives a node a subnet, publishes what it asks for, and finds it again where it is given", async () => {
        await world();
        const store = await stage.open("node-1");
        expect((await store.readHints()).lease).toBe(null);
        const lease = await acquire(store, 1);
        expect(lease.attributes).toEqual(attributesOf(1));
        const { network, prefix } = parseCidr(lease.subnets.ipv4!);
        expect([prefix, cidrContains(NETWORK, network), lease.subnets.ipv6]).toEqual([24, true, null]);
        expect([...(await observe()).leases.values()]).toEqual([lease]);
        // What nodes pick is known by its public IP, and that two may have.
        expect((await store.readHints()).lease).toEqual(store.subnets === "picked" ? null : lease);
        await store.announce();
      });

      it("gives it both families", async () => {
        await world(DUAL);
        const lease = await acquire(await stage.open("node-1"), 1, {
          conf: DUAL,
          attributes: attributesOf(1, true),
        });
        expect(parseCidr(lease.subnets.ipv4!).prefix).toBe(24);
        expect(parseCidr(lease.subnets.ipv6!).prefix).toBe(64);
        if (picked) expect([...(await observe()).leases.values()]).toEqual([lease]);
        expect(lease.attributes).toEqual(attributesOf(1, true));
      });

      it("gives the next process of a node the same again, and the others hear nothing of it", async () => {
        await world();
        const first = await stage.open("node-1");
        const lease = await acquire(first, 1);
        await first.close();
        const heard = await observe();
        expect(await acquire(await stage.open("node-1"), 1)).toEqual(lease);
        const witness = await put(1);
        await heard.has(lease, witness);
        expect(heard.kinds(lease.key)).toEqual(["added"]);
      });

      it("publishes another address and MAC for the subnets it has; the others hear of one change", async () => {
        await world();
        const store = await stage.open("node-1");
        const lease = await acquire(store, 1);
        const heard = await observe();
        const moved = await acquire(store, 1, { attributes: attributesOf(51) });
        expect(moved).toEqual({ ...lease, attributes: attributesOf(51) });
        await heard.has(moved);
        expect(heard.kinds(lease.key)).toEqual(["added", "changed"]);
      });

      it("gives nodes that race for one different subnets", async () => {
        await world();
        const nodes = Array.from({ length: 12 }, (_, i) => i + 1);
        const stores = await Promise.all(nodes.map((n) => stage.open(`node-${n}`)));
        const leases = await Promise.all(stores.map((store, i) => acquire(store, i + 1)));
        expect(new Set(leases.map(({ subnets }) => subnets.ipv4)).size).toBe(nodes.length);
        const byKey = (all: Iterable<NodeLease>) => new Map([...all].map((lease) => [lease.key, lease]));
        expect((await observe()).leases).toEqual(byKey(leases));
      });

      it("fails with what to do while the store is out of reach, and works again when it is back", async () => {
        await world();
        const store = await stage.open("node-1");
        await store.readNetConf();
        await stage.cut();
        const error = await failure(acquire(store, 1));
        expect([error.code, error.passing]).toEqual(["STORE_UNREACHABLE", true]);
        expect(error.message).not.toBe("");
        await stage.mend();
        let lease: NodeLease | null = null;
        await until("the lease is had", async () => {
          lease = await acquire(store, 1).catch(() => null);
          return lease !== null;
        });
        expect([...(await observe()).leases.values()]).toEqual([lease]);
      });
    });

    if (picked) {
      describe("a node that picks its subnets", () => {
        it("gets those it had before where they are free, and others where they are not", async () => {
          await world();
          const previous = subnetsOf(7);
          expect((await acquire(await stage.open("node-1"), 1, { previous })).subnets).toEqual(previous);
          const other = await acquire(await stage.open("node-2"), 2, { previous });
          expect(other.subnets.ipv4).not.toBe(previous.ipv4);
        });

        it("gets none that somebody else's entry names, lease or not", async () => {
          await world(SMALL);
          await stage.put("stranger-1", { ipv4: "10.244.1.0/24", ipv6: null }, attributesOf(101));
          await stage.spoil("stranger-2", { ipv4: "10.244.3.0/24", ipv6: null });
          const { subnets } = await acquire(await stage.open("node-1"), 1, { conf: SMALL });
          expect(subnets.ipv4).toBe("10.244.2.0/24");
        });

        it("is told so when there is none left", async () => {
          await world(SMALL);
          const had: NodeLease[] = [];
          for (const n of [1, 2, 3]) {
            had.push(await acquire(await stage.open(`node-${n}`), n, { conf: SMALL }));
          }
          const fourth = await stage.open("node-4");
          const { code, message, remedy } = await failure(acquire(fourth, 4, { conf: SMALL }));
          expect(code).toBe("STORE_NO_SUBNET");
          expect(message).toMatch(/: all 3 subnets from \S+ to \S+ are taken$/);
          expect(remedy).not.toBe("");
          await stage.remove(had[1]!.key);
          expect((await acquire(fourth, 4, { conf: SMALL })).subnets).toEqual(had[1]!.subnets);
        });

        it("loses its lease to a node with the same public address, and hears of it once", async () => {
          await world();
          const store = await stage.open("node-1");
          const lease = await acquire(store, 1);
          const lost = keep(store);
          await Heard.all(store);
          const { backendData } = attributesOf(66);
          const attributes = { ...attributesOf(1), backendData };
          const taken = await acquire(await stage.open("node-66"), 66, { attributes });
          expect(taken.key).toBe(lease.key);
          await until("the loss is told", () => lost.length > 0);
          expect(lost[0]).toBeInstanceOf(LeaseLost);
          await (await observe()).has(taken);
          await store.release();
          expect(lost).toHaveLength(1);
          await (await observe("node-98")).has(taken);
        });
      });
    }

    describe("keep", () => {
      it("puts a lease back that somebody removed, or says that it is lost", async () => {
        await world();
        const store = await stage.open("node-1");
        const lease = await acquire(store, 1);
        const lost = keep(store);
        await Heard.all(store);
        await stage.remove(lease.key);
        const heard = await observe();
        await isBackOrLost(lease, heard, lost);
      });

      it("puts a lease back that somebody removed before, or says that it is lost", async () => {
        await world();
        const store = await stage.open("node-1");
        const lease = await acquire(store, 1);
        const heard = await Heard.all(store);
        await stage.remove(lease.key);
        await until("the loss is heard", () => !heard.leases.has(lease.key));
        const lost = keep(store);
        await isBackOrLost(lease, heard, lost);
      });
    });

    describe("release and close", () => {
      it("release gives the lease back at once, and is no loss", async () => {
        await world();
        const store = await stage.open("node-1");
        const lease = await acquire(store, 1);
        const lost = keep(store);
        await Heard.all(store);
        const heard = await observe();
        await store.release();
        await heard.has();
        expect(heard.kinds(lease.key)).toEqual(["added", "removed"]);
        await store.release();
        if (picked) {
          const next = await acquire(await stage.open("node-2"), 2, { previous: lease.subnets });
          expect(next.subnets).toEqual(lease.subnets);
        }
        expect(lost).toEqual([]);
      });

      it("close leaves the lease, ends the telling, and can be called twice", async () => {
        await world();
        const store = await stage.open("node-1");
        const lease = await acquire(store, 1);
        const heard = await Heard.all(store);
        await store.close();
        await store.close();
        const count = heard.changes.length;
        const stranger = await put(1);
        await (await observe()).has(lease, stranger);
        expect(heard.changes.length).toBe(count);
      });
    });

    describe("watch", () => {
      it("tells first all there is, be it nothing", async () => {
        await world();
        const none = await observe();
        expect([none.calls, none.changes]).toEqual([1, []]);
        const strangers = [await put(1), await put(2), await put(3)];
        const all = await observe("node-98");
        await all.has(...strangers);
        expect(all.calls).toBe(1);
        await none.has(...strangers);
      });

      it("tells each lease that comes, changes and goes, once", async () => {
        await world();
        const heard = await observe();
        const [one, two] = [await put(1), await put(2)];
        await heard.has(one, two);
        const changed = await put(1, 51);
        await heard.has(changed, two);
        await put(2); // what it says already
        await stage.remove(one.key);
        await heard.has(two);
        expect([heard.kinds(one.key), heard.kinds(two.key)]).toEqual([
          ["added", "changed", "removed"],
          ["added"],
        ]);
        expect(heard.troubles).toEqual([]);
      });

      it("tells of what is no lease, and when it is one again or gone", async () => {
        await world();
        const key = await stage.spoil("stranger-1", subnetsOf(1));
        const heard = await observe();
        await until("it is told as bad", () => heard.badNow.has(key));
        const good = await put(2);
        await heard.has(good);
        const mended = await put(1);
        await heard.has(good, mended);
        await until("it is bad no more", () => !heard.badNow.has(key));
        await stage.spoil("stranger-1", subnetsOf(1));
        await heard.has(good);
        await until("it is bad again", () => heard.badNow.has(key));
        await stage.remove(key);
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
        await world();
        const before = [await put(1), await put(2), await put(3)];
        const heard = await observe();
        await heard.has(...before);
        await stage.cut();
        await until("the break is told", () => heard.troubles.length === 1);
        await stage.remove(before[0]!.key);
        const changed = await put(2, 52);
        const added = await put(4);
        expect([heard.changes.length, heard.troubles]).toEqual([3, [expect.any(String)]]);
        await stage.mend();
        await heard.has(changed, before[2]!, added);
        await until("the end of it is told", () => heard.troubles.length === 2);
        expect(heard.troubles[1]).toBe(null);
        expect(before.map(({ key }) => heard.kinds(key))).toEqual([
          ["added", "removed"],
          ["added", "changed"],
          ["added"],
        ]);
        const after = await put(5);
        await heard.has(changed, before[2]!, added, after);
      });

      it("goes on whatever its watcher throws, which is nobody's to catch and no trouble of the store's", async () => {
        await world();
        const one = await put(1);
        const bad = await stage.spoil("stranger-2", subnetsOf(2));
        const store = await stage.open("node-1");
        const heard = new Clumsy();
        heards.push(heard);
        const errors = await uncaught(async () => {
          store.watch(heard);
          await heard.has(one);
          await until("it is told as bad", () => heard.badNow.has(bad));
          const three = await put(3);
          await heard.has(one, three);
          await stage.cut();
          await until("the break is told", () => heard.troubles.length === 1);
          await stage.mend();
          await until("the end of it is told", () => heard.troubles.length === 2);
          const four = await put(4);
          await heard.has(one, three, four);
        });
        expect(heard.troubles).toEqual([expect.not.stringContaining("clumsy"), null]);
        const told = heard.calls + heard.badSaid.length + heard.troubles.length;
        expect(errors).toEqual(new Array(told).fill(new Error("clumsy")));
      });

      it("begins while the store is out of reach, and tells all there is when it is back", async () => {
        await world();
        const lease = await put(1);
        const store = await stage.open("node-1");
        await stage.cut();
        const heard = new Heard();
        heards.push(heard);
        store.watch(heard);
        await until("the break is told", () => heard.troubles.length === 1);
        expect(heard.calls).toBe(0);
        await stage.mend();
        await heard.has(lease);
        await until("the end of it is told", () => heard.troubles.length === 2);
        expect([heard.calls, heard.kinds(lease.key)]).toEqual([1, ["added"]]);
      });

      it("goes on while the node itself acquires, changes and releases its lease", async () => {
        await world();
        const store = await stage.open("node-1");
        const heard = await Heard.all(store);
        heards.push(heard);
        const lease = await acquire(store, 1);
        await heard.has(lease);
        const moved = await acquire(store, 1, { attributes: attributesOf(51) });
        await heard.has(moved);
        await store.release();
        await heard.has();
      });
    });
  });
}
