/** etcd that dies, hangs, forgets, or is reached another way: nothing is missed, nothing told twice. */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { NodeLease } from "../../../src/control/flannel/node-lease.ts";
import { Heard } from "../../contract/heard.ts";
import { attributesOf, confOf, subnetsOf } from "../../contract/store-world.ts";
import { describeWith, optionalPackage, tool } from "../../helpers/needs.ts";
import { until } from "../../helpers/until.ts";
import { Link } from "./link.ts";
import { EtcdServer, freePort } from "./server.ts";
import { EtcdStage } from "./stage.ts";

const CONF = '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}';

describeWith([tool("etcd"), tool("etcdctl"), optionalPackage("etcd3")], "a break", () => {
  let server: EtcdServer;
  let stage: EtcdStage;
  beforeEach(async () => {
    server = await EtcdServer.start();
    stage = await EtcdStage.make(server, CONF);
  });
  afterEach(async () => {
    await stage.close();
    await server.close();
    expect(losses.splice(0)).toEqual([]);
  });

  /** Losses that no test expects. */
  const losses: Error[] = [];
  const noted = (error: Error): void => {
    losses.push(error);
  };

  async function put(n: number, look = n): Promise<NodeLease> {
    const [subnets, attributes] = [subnetsOf(n), attributesOf(look)];
    return { key: await stage.put("", subnets, attributes), subnets, attributes };
  }

  function acquire(store: Awaited<ReturnType<EtcdStage["open"]>>, n = 1) {
    return store.acquire({ conf: confOf(CONF, "picked"), attributes: attributesOf(n), previous: null });
  }

  it("in which etcd is killed and started again, with changes while we cannot hear it", async () => {
    const [one, two] = [await put(1), await put(2)];
    const heard = await Heard.all(await stage.open());
    await server.kill();
    await until("the break is told", () => heard.troubles.length === 1);
    expect(heard.troubles[0]).toMatch(
      /^etcd at http:\/\/127\.0\.0\.1:\d+: (the connection was|nobody listens)/,
    );
    await stage.cut();
    await server.run();
    await stage.remove(one.key);
    const changed = await put(2, 52);
    const three = await put(3);
    await server.kill();
    await server.run();
    expect(heard.leases.size).toBe(2);
    await stage.mend();
    await heard.has(changed, three);
    await until("the end is told", () => heard.troubles.length === 2);
    expect([heard.kinds(one.key), heard.kinds(two.key), heard.kinds(three.key)]).toEqual([
      ["added", "removed"],
      ["added", "changed"],
      ["added"],
    ]);
    expect(heard.faults).toEqual([]);
  });

  it("in which etcd hangs is noticed, and costs no lease", async () => {
    const one = await put(1);
    const store = await stage.open("node-1", { timings: { call: 1000 } });
    const heard = await Heard.all(store);
    await until("the watch is open", async () => {
      await put(2, 2 + heard.calls);
      return heard.kinds(subnetsOf(2).ipv4!.replace("/", "-")).length > 0;
    });
    server.hang();
    await until("the break is told", () => heard.troubles.length === 1);
    expect(heard.troubles[0]).toMatch(/does not answer in time/);
    await expect(store.readNetConf()).rejects.toMatchObject({ code: "STORE_UNREACHABLE", passing: true });
    expect(heard.changes.every(({ kind }) => kind !== "removed")).toBe(true);
    server.goOn();
    await until("the end is told", () => heard.troubles.length === 2);
    const three = await put(3);
    await until("what comes is heard", () => heard.leases.has(three.key));
    expect(heard.leases.get(one.key)).toEqual(one);
    expect(heard.faults).toEqual([]);
  });

  it("after which etcd has forgotten what happened in it: only the differences are told", async () => {
    const [one, two] = [await put(1), await put(2)];
    const heard = await Heard.all(await stage.open());
    await stage.cut();
    await until("the break is told", () => heard.troubles.length === 1);
    await stage.remove(one.key);
    const three = await put(3);
    const { revision } = (await server.get(stage.path(three.key)))!;
    await server.etcdctl("compact", String(revision));
    await stage.mend();
    await heard.has(two, three);
    const four = await put(4);
    await heard.has(two, three, four);
    expect([one, two, three, four].map(({ key }) => heard.kinds(key))).toEqual([
      ["added", "removed"],
      ["added"],
      ["added"],
      ["added"],
    ]);
    expect(heard.faults).toEqual([]);
  });

  it("after which etcd has lost its data: leases that are gone are gone, and ours is put back", async () => {
    const one = await put(1);
    const store = await stage.open();
    const own = await acquire(store);
    const said: string[] = [];
    store.keep(noted, (line) => said.push(line));
    const heard = await Heard.all(store);
    await heard.has(one, own);
    await server.kill();
    server.forget();
    await server.run();
    await until("ours is back", async () => (await server.get(stage.path(own.key))) !== null);
    await heard.has(own);
    await until("that is said", () => said.some((line) => line.includes("put back")));
    expect(heard.faults).toEqual([]);
  });

  it("that is longer than our lease lives: it is put back", async () => {
    const store = await stage.open("node-1", { timings: { ttl: 2, renewBefore: 1500 } });
    const own = await acquire(store);
    const said: string[] = [];
    store.keep(noted, (line) => said.push(line));
    const heard = await Heard.all(store);
    await stage.cut();
    await until("etcd has ended it", async () => (await server.get(stage.path(own.key))) === null);
    await until("it is said that it cannot be renewed", () => said.length > 0);
    expect(said[0]).toMatch(/could not be renewed: etcd at .*; it is tried again/);
    await stage.mend();
    await until("it is back", async () => (await server.get(stage.path(own.key))) !== null);
    await until("that is said", () => said.some((line) => line.includes("put back")));
    await until("it is said that all is well", () => said.some((line) => line.includes("renewed again")));
    expect(said.filter((line) => line.includes("could not"))).toHaveLength(1);
    await until("it is heard", () => heard.leases.has(own.key));
    expect(heard.faults).toEqual([]);
  });

  it("that is longer than our lease lives, while another node takes our subnet: it is lost", async () => {
    const store = await stage.open("node-1", { timings: { ttl: 2, renewBefore: 1500 } });
    const own = await acquire(store);
    const lost: Error[] = [];
    store.keep(
      (error) => lost.push(error),
      () => {},
    );
    await Heard.all(store);
    await stage.cut();
    await until("etcd has ended it", async () => (await server.get(stage.path(own.key))) === null);
    await stage.put("", own.subnets, attributesOf(7));
    await stage.mend();
    await until("the loss is told", () => lost.length > 0);
    expect(lost[0]!.message).toMatch(/written by another node \(192\.0\.2\.7\)/);
    expect((await server.get(stage.path(own.key)))!.value).toContain("192.0.2.7");
  });

  it("of the connections from an address that is gone ends when another address is to be told; nothing is missed", async () => {
    const patient = { call: 60_000, look: 60_000 };
    const store = await stage.open("node-1", { timings: patient });
    const own = await acquire(store);
    store.keep(noted, () => {});
    const heard = await Heard.all(store);
    await until("the watch is open", async () => {
      await put(1, 1 + (heard.changes.length % 2));
      return heard.changes.length > 1;
    });
    stage.silence();
    const waiting = store.readNetConf();
    const [two, three] = [await put(2), await put(3)];
    await stage.remove(two.key);
    const moved = await acquire(store, 51);
    expect(moved.key).toBe(own.key);
    expect(await waiting).toBe(CONF);
    await until(
      "what happened is heard",
      () => heard.leases.get(own.key)?.attributes.publicIp === "192.0.2.51",
    );
    expect([own, two, three].map(({ key }) => heard.kinds(key))).toEqual([
      ["added", "changed"],
      ["added", "removed"],
      ["added"],
    ]);
    const four = await put(4);
    await until("what comes is heard", () => heard.leases.has(four.key));
    expect([heard.troubles, heard.faults]).toEqual([[], []]);
  });

  it("of one endpoint goes unnoticed where another works; the first may never have been there", async () => {
    const [a, b] = [await Link.to(server.url), await Link.to(server.url)];
    const endpoints = `http://127.0.0.1:${await freePort()},${a.url},${b.url}`;
    const store = await stage.open("node-1", { endpoints });
    expect(await store.readNetConf()).toBe(CONF);
    const heard = await Heard.all(store);
    const one = await put(1);
    await heard.has(one);
    await a.cut();
    const two = await put(2);
    await heard.has(one, two);
    await a.mend();
    await b.cut();
    const three = await put(3);
    await heard.has(one, two, three);
    expect([heard.troubles, heard.faults]).toEqual([[], []]);
    await a.cut();
    const error = await store.readNetConf().catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: "STORE_UNREACHABLE" });
    for (const url of endpoints.split(",")) expect(String(error)).toContain(url);
    await store.close();
  });
});

describeWith(
  [tool("etcd"), tool("etcdctl"), optionalPackage("etcd3")],
  "a member without its cluster",
  () => {
    it("ends the watch: what it says is old", async () => {
      const [first, second] = await EtcdServer.startPair();
      const stage = await EtcdStage.make(first, CONF);
      try {
        const heard = await Heard.all(await stage.open("node-1", { timings: { call: 3000 } }));
        await second.kill();
        await until("the break is told", () => heard.troubles.length === 1);
        expect(heard.troubles[0]).toMatch(/has no leader|does not answer in time/);
        await second.run();
        await until("the end is told", () => heard.troubles.length === 2);
        expect(heard.faults).toEqual([]);
      } finally {
        await stage.close();
        await Promise.all([first.close(), second.close()]);
      }
    });
  },
);
