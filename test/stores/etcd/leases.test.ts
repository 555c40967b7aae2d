/** Our leases among flanneld's: the same keys and values, and who gets which subnet. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import {
  type LeaseAttributes,
  type NodeSubnets,
  vxlanData,
} from "../../../src/control/flannel/node-lease.ts";
import type { EtcdStore } from "../../../src/stores/etcd/store.ts";
import { Heard } from "../../contract/heard.ts";
import { attributesOf, confOf } from "../../contract/store-world.ts";
import { describeWith, optionalPackage, tool } from "../../helpers/needs.ts";
import { until } from "../../helpers/until.ts";
import { EtcdServer } from "./server.ts";
import { EtcdStage } from "./stage.ts";

const CONF = '{"Network":"10.5.0.0/16","Backend":{"Type":"vxlan"}}';
const TEN =
  '{"Network":"10.5.0.0/16","SubnetMin":"10.5.1.0","SubnetMax":"10.5.10.0","Backend":{"Type":"vxlan"}}';
const TEN_OF_BOTH =
  '{"Network":"10.5.0.0/16","SubnetMin":"10.5.1.0","SubnetMax":"10.5.10.0","EnableIPv6":true,' +
  '"IPv6Network":"fd00:5::/48","IPv6SubnetMin":"fd00:5:0:1::","IPv6SubnetMax":"fd00:5:0:a::","Backend":{"Type":"vxlan"}}';
/** As a flanneld writes it. */
const VALUE =
  '{"PublicIP":"192.168.64.3","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"}}';
const ATTRIBUTES: LeaseAttributes = {
  publicIp: "192.168.64.3",
  publicIpv6: null,
  backendType: "vxlan",
  backendData: vxlanData(1, "c6:d2:32:6f:8f:44"),
  backendV6Data: null,
};

describeWith([tool("etcd"), tool("etcdctl"), optionalPackage("etcd3")], "leases in etcd", () => {
  let server: EtcdServer;
  let stage: EtcdStage;
  beforeAll(async () => {
    server = await EtcdServer.start();
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    stage = await EtcdStage.make(server, CONF);
  });
  afterEach(async () => {
    await stage.close();
    expect(losses.splice(0)).toEqual([]);
  });

  /** Losses that no test expects. */
  const losses: Error[] = [];
  const noted = (error: Error): void => {
    losses.push(error);
  };

  function acquire(
    store: EtcdStore,
    attributes = ATTRIBUTES,
    previous: NodeSubnets | null = null,
    conf = CONF,
  ) {
    return store.acquire({ conf: confOf(conf, "picked"), attributes, previous });
  }

  const previous = { ipv4: "10.5.34.0/24", ipv6: null };

  it("have the key and the value that flanneld writes, byte for byte, and a day to live", async () => {
    const store = await stage.open();
    const lease = await acquire(store, ATTRIBUTES, previous);
    expect(lease).toEqual({ key: "10.5.34.0-24", subnets: previous, attributes: ATTRIBUTES });
    const there = (await server.get(stage.path("10.5.34.0-24")))!;
    expect(there.value).toBe(VALUE);
    expect(await server.timeToLive(there.lease)).toMatchObject({ "granted-ttl": 86400 });
  });

  it("have both families in one key", async () => {
    const attributes = {
      ...ATTRIBUTES,
      publicIpv6: "fd00::3",
      backendV6Data: vxlanData(1, "c6:d2:32:6f:8f:45"),
    };
    const both = { ipv4: "10.5.3.0/24", ipv6: "fd00:5:0:3::/64" };
    const lease = await acquire(await stage.open(), attributes, both, TEN_OF_BOTH);
    expect(lease.key).toBe("10.5.3.0-24&fd00:5:0:3::-64");
    expect((await server.get(stage.path(lease.key)))?.value).toBe(
      '{"PublicIP":"192.168.64.3","PublicIPv6":"fd00::3","BackendType":"vxlan",' +
        '"BackendData":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:44"},"BackendV6Data":{"VNI":1,"VtepMAC":"c6:d2:32:6f:8f:45"}}',
    );
  });

  it("of a flanneld with our public address are ours, and stay where they are", async () => {
    const etcdLease = await server.grant(600);
    await server.etcdctl("put", stage.path("10.5.77.0-24"), VALUE, "--lease", etcdLease);
    const store = await stage.open();
    expect(await acquire(store, ATTRIBUTES, previous)).toMatchObject({ key: "10.5.77.0-24" });
    const there = (await server.get(stage.path("10.5.77.0-24")))!;
    expect(await server.timeToLive(there.lease)).toMatchObject({ "granted-ttl": 86400 });
  });

  it("that do not suit the network any more are removed", async () => {
    await server.etcdctl("put", stage.path("10.6.1.0-24"), VALUE);
    const lease = await acquire(await stage.open());
    expect(lease.key).toMatch(/^10\.5\.\d+\.0-24$/);
    expect(await server.get(stage.path("10.6.1.0-24"))).toBe(null);
  });

  it("written by hand are heard as flannel would read them: keys in any case, no IPv6 address", async () => {
    await server.etcdctl(
      "put",
      stage.path("10.5.9.0-24"),
      '{"publicip":"10.0.0.9","BACKENDTYPE":"vxlan","BackendData":{"VtepMAC":"0a:00:00:00:00:09"},"Comment":1}',
    );
    const heard = await Heard.all(await stage.open());
    await heard.has({
      key: "10.5.9.0-24",
      subnets: { ipv4: "10.5.9.0/24", ipv6: null },
      attributes: {
        publicIp: "10.0.0.9",
        publicIpv6: null,
        backendType: "vxlan",
        backendData: { VtepMAC: "0a:00:00:00:00:09" },
        backendV6Data: null,
      },
    });
  });

  it("that are none are told as bad, each with its reason, and the others work", async () => {
    await server.etcdctl("put", stage.path("10.5.1.0-24"), "");
    await server.etcdctl("put", stage.path("10.5.2.0-24"), '{"PublicIP":"10.0.0.256"}');
    await server.etcdctl("put", stage.path("some/other"), VALUE);
    await server.etcdctl("put", stage.path("10.5.3.0-24"), `{"PublicIP":"${"9".repeat(100_000)}"}`);
    await server.etcdctl("put", stage.path("10.5.4.0-24"), VALUE);
    const heard = await Heard.all(await stage.open());
    expect([...heard.leases.keys()]).toEqual(["10.5.4.0-24"]);
    expect(Object.fromEntries(heard.badNow)).toEqual({
      "10.5.1.0-24": "it is empty: its subnet is kept free",
      "10.5.2.0-24": expect.stringContaining("10.0.0.256"),
      "10.5.3.0-24": expect.stringContaining("bytes"),
      "some/other": expect.stringContaining("names no subnet"),
    });
    expect(heard.faults).toEqual([]);
  });

  it("are ten different ones where ten nodes race for ten subnets", async () => {
    const before = await server.leasesWithoutKeys();
    const stores = await Promise.all(Array.from({ length: 10 }, () => stage.open()));
    const leases = await Promise.all(
      stores.map((store, i) => acquire(store, attributesOf(i + 1), null, TEN)),
    );
    expect(new Set(leases.map(({ key }) => key)).size).toBe(10);
    await expect(acquire(await stage.open(), attributesOf(11), null, TEN)).rejects.toMatchObject({
      code: "STORE_NO_SUBNET",
    });
    // Who was slower has revoked its etcd lease.
    expect(await server.leasesWithoutKeys()).toEqual(before);
  });

  it("have no subnet twice where nodes race for two families at once", async () => {
    const stores = await Promise.all(Array.from({ length: 5 }, () => stage.open()));
    const leases = await Promise.all(
      stores.map((store, i) => acquire(store, attributesOf(i + 1, true), null, TEN_OF_BOTH)),
    );
    for (const family of ["ipv4", "ipv6"] as const) {
      expect(new Set(leases.map(({ subnets }) => subnets[family])).size).toBe(5);
    }
    expect((await Heard.all(await stage.open())).leases.size).toBe(5);
  });

  it("that are reservations stay so: no etcd lease, whoever uses them and however often", async () => {
    await server.etcdctl("put", stage.path("10.5.200.0-24"), '{"PublicIP":"192.168.64.3"}');
    const store = await stage.open("node-1", { timings: { ttl: 5, renewBefore: 4800 } });
    expect(await acquire(store, ATTRIBUTES, previous)).toMatchObject({ key: "10.5.200.0-24" });
    const there = await server.get(stage.path("10.5.200.0-24"));
    expect(there).toMatchObject({ value: VALUE, lease: "0" });
    store.keep(noted, () => {});
    await acquire(store, { ...ATTRIBUTES, backendData: vxlanData(1, "0a:00:00:00:00:01") });
    expect(await server.get(stage.path("10.5.200.0-24"))).toMatchObject({ lease: "0" });
    await store.release();
    expect(await server.get(stage.path("10.5.200.0-24"))).toMatchObject({ lease: "0" });
  });

  it("are renewed before their end with a new etcd lease, and nobody hears of it", async () => {
    const store = await stage.open("node-1", { timings: { ttl: 4, renewBefore: 3500 } });
    const heard = await Heard.all(await stage.open());
    const { key } = await acquire(store);
    store.keep(noted, () => {});
    const begun = performance.now();
    const seen = new Set<string>();
    await until("it lives for longer than its first etcd lease", async () => {
      seen.add((await server.get(stage.path(key)))!.lease);
      return performance.now() - begun > 6000;
    });
    expect(seen.size).toBeGreaterThan(2);
    expect(heard.kinds(key)).toEqual(["added"]);
  });

  it("of others that nobody renews are heard as removed", async () => {
    const heard = await Heard.all(await stage.open());
    await server.etcdctl("put", stage.path("10.5.8.0-24"), VALUE, "--lease", await server.grant(2));
    await until("it has come and gone", () => heard.kinds("10.5.8.0-24").length === 2);
    expect(heard.kinds("10.5.8.0-24")).toEqual(["added", "removed"]);
  });

  it("that somebody deletes are put back, which is said", async () => {
    const store = await stage.open();
    const lease = await acquire(store);
    const said: string[] = [];
    store.keep(noted, (line) => said.push(line));
    await Heard.all(store);
    await stage.remove(lease.key);
    await until("it is there again", async () => (await server.get(stage.path(lease.key))) !== null);
    await until("it is said", () => said.length > 0);
    expect(said).toEqual([
      expect.stringMatching(`our lease ${lease.key} was gone from etcd at .*: put back`),
    ]);
    expect(await server.get(stage.path(lease.key))).toMatchObject({ value: VALUE });
  });

  it("are not lost to their own node, however often it publishes something else", async () => {
    const store = await stage.open("node-1", { timings: { ttl: 60, renewBefore: 59_900 } });
    const lease = await acquire(store);
    store.keep(noted, () => {});
    const heard = await Heard.all(store);
    for (const n of [1, 2, 3, 4, 5]) await acquire(store, attributesOf(n));
    await heard.has({ ...lease, attributes: attributesOf(5) });
    expect(heard.faults).toEqual([]);
  });

  it("that are somebody else's by now, or rubbish, are not taken when we ask for ours again", async () => {
    const store = await stage.open();
    const first = await acquire(store);
    await stage.put("", first.subnets, attributesOf(9));
    const second = await acquire(store, attributesOf(1));
    expect(second.key).not.toBe(first.key);
    await stage.spoil("", second.subnets);
    const third = await acquire(store, attributesOf(1));
    expect([first.key, second.key]).not.toContain(third.key);
    expect((await server.get(stage.path(first.key)))!.value).toContain("192.0.2.9");
    await stage.remove(third.key);
    expect(await acquire(store, attributesOf(1))).toEqual(third);
  });

  it("are lost where another node has written them, or has the subnet by another key", async () => {
    const one = await lossOf(async ({ key }) => {
      await stage.put("", { ipv4: key.replace("-", "/"), ipv6: null }, attributesOf(9));
    });
    expect(one).toMatch(/written by another node \(192\.0\.2\.9\): does it have the same public IP/);
    const other = await lossOf(async ({ key, subnets }) => {
      // Both at once: the first would be put back.
      const larger = `${subnets.ipv4!.replace(/\d+\.0\/24$/, "0.0")}-16`;
      await server.transaction(
        `del ${stage.path(key)}`,
        `put ${stage.path(larger)} ${JSON.stringify(VALUE)}`,
      );
    });
    expect(other).toMatch(/is gone from etcd at .*, and 10\.5\.0\.0-16 has its subnet now/);
  });

  /** @returns why a lease was lost */
  async function lossOf(
    harm: (lease: Awaited<ReturnType<typeof acquire>>) => Promise<void>,
  ): Promise<string> {
    const store = await stage.open();
    const lease = await acquire(store);
    const lost: Error[] = [];
    store.keep(
      (error) => lost.push(error),
      () => {},
    );
    await Heard.all(store);
    await harm(lease);
    await until("the loss is told", () => lost.length > 0);
    return lost[0]!.message;
  }
});
