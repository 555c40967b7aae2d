/** One watch over all that an API server and the way to it can do to it. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { attributesOf, confOf, subnetsOf } from "../../contract/store-world.ts";
import { describeWith, tool } from "../../helpers/needs.ts";
import { until } from "../../helpers/until.ts";
import { Link } from "../etcd/link.ts";
import { flannelsAnnotations, KubernetesStage } from "./stage.ts";
import { WatchedStage } from "./watched-stage.ts";

let stage: WatchedStage;

beforeEach(async () => {
  stage = await new WatchedStage().started();
});

afterEach(() => stage.close());

describeWith([tool("openssl")], "a watch", () => {
  it("asks for bookmarks and for an end, and goes on from the last version it heard of", async () => {
    const heard = await stage.watching();
    const versionAtFirst = stage.server.objects.version;
    const [request] = stage.server.requests("watch");
    expect(Object.fromEntries(request!.query)).toEqual({
      watch: "true",
      allowWatchBookmarks: "true",
      timeoutSeconds: expect.stringMatching(/^[3-6]\d\d$/),
      resourceVersion: String(versionAtFirst),
    });
    const lease = await stage.lease(1);
    await heard.has(lease);
    stage.server.endWatches();
    await until("it is watched again", () => stage.server.watches > 0);
    expect(stage.server.requests("watch")[1]?.query.get("resourceVersion")).toBe(String(versionAtFirst + 1));
    expect([stage.server.requests("list").length, heard.troubles]).toEqual([1, []]);
  });

  it("knows by bookmarks where it is although nothing happens", async () => {
    const heard = await stage.watching();
    // What happened to things that are no nodes.
    stage.server.objects.version += 1000;
    const { version } = stage.server.objects;
    const asked = () => stage.server.requests("watch").at(-1)?.query.get("resourceVersion");
    await until("a bookmark has come", async () => {
      stage.server.endWatches();
      await until("it is watched again", () => stage.server.watches > 0);
      await new Promise((resolve) => setTimeout(resolve, 30));
      return asked() === String(version);
    });
    expect([stage.server.requests("list").length, heard.troubles]).toEqual([1, []]);
  });

  it.each([
    ["an event", true],
    ["a status", false],
  ])(
    "that is too old, said by %s, begins with a new list, of which only differences are told",
    async (_, inWatch) => {
      stage.server.goneInWatch = inWatch;
      const [one, two, three] = [await stage.lease(1), await stage.lease(2), await stage.lease(3)];
      const heard = await stage.watching();
      await stage.server.stop();
      stage.server.objects.delete(one.key);
      const changed = await stage.lease(2, 52);
      stage.server.objects.compact();
      await stage.server.start();
      await heard.has(changed, three);
      expect([one, two, three].map(({ key }) => heard.kinds(key))).toEqual([
        ["added", "removed"],
        ["added", "changed"],
        ["added"],
      ]);
      expect(stage.server.requests("list")).toHaveLength(2);
    },
  );

  it("that is told 410 while it runs is no trouble", async () => {
    const lease = await stage.lease(1);
    const heard = await stage.watching();
    stage.server.error(410);
    await until("there is a new list", () => stage.server.requests("list").length === 2);
    const next = await stage.lease(2);
    await heard.has(lease, next);
    expect([heard.kinds(lease.key), heard.troubles]).toEqual([["added"], []]);
  });

  it("whose version a server does not know yet begins with a new list", async () => {
    const heard = await stage.watching();
    stage.server.faults.push({ verb: "watch", status: 504, times: 1 });
    stage.server.endWatches();
    await until("there is a new list", () => stage.server.requests("list").length === 2);
    await heard.has(await stage.lease(1));
  });

  it("that breaks in the middle of a line goes on, and is no trouble", async () => {
    const heard = await stage.watching();
    const lease = await stage.lease(1);
    await heard.has(lease);
    stage.server.breakWatches('{"type":"DELETED","object":{"kind":"Node","metadata":{"name":"stranger-1"');
    await until("it is watched again", () => stage.server.watches > 0);
    const next = await stage.lease(2);
    await heard.has(lease, next);
    expect([heard.kinds(lease.key), heard.troubles]).toEqual([["added"], []]);
    expect(stage.server.requests("list")).toHaveLength(1);
  });

  it("takes lines in whatever pieces they come", async () => {
    const quiet = await new KubernetesStage({ bookmarkEvery: 0 }).started();
    try {
      const heard = stage.watch(quiet.store("node-1"));
      await until("it is watched", () => quiet.server.watches > 0);
      const annotations = flannelsAnnotations(attributesOf(1));
      const metadata = { name: "in-pieces-ü", resourceVersion: "7", annotations };
      const object = { metadata, spec: { podCIDR: "10.244.101.0/24" } };
      const bytes = Buffer.from(`${JSON.stringify({ type: "ADDED", object })}\n\n`);
      for (let at = 0; at < bytes.length; at += 7) {
        quiet.server.write(bytes.subarray(at, at + 7));
        await new Promise(setImmediate);
      }
      await heard.has({ key: "in-pieces-ü", subnets: subnetsOf(1), attributes: attributesOf(1) });
    } finally {
      await quiet.close();
    }
  });

  it.each([
    "no JSON at all",
    '{"type":"STRANGE","object":{"metadata":{"name":"x"}}}',
    '{"type":"ADDED"}',
    "null",
  ])("that sends garbage begins anew: %s", async (line) => {
    const lease = await stage.lease(1);
    const heard = await stage.watching();
    stage.server.write(`${line}\n`);
    await until("it is watched again", () => stage.server.requests("watch").length > 1);
    const next = await stage.lease(2);
    await heard.has(lease, next);
    expect([heard.kinds(lease.key), heard.troubles]).toEqual([["added"], []]);
  });

  it("that sends nothing but garbage is trouble, lists again, and takes nobody away", async () => {
    const quiet = await new KubernetesStage({ bookmarkEvery: 0 }).started();
    try {
      const key = await quiet.put("stranger-1", subnetsOf(1), attributesOf(1));
      const heard = stage.watch(quiet.store("node-1", { times: { settled: 60_000 } }));
      await until("it is watched", () => quiet.server.watches > 0);
      quiet.server.garbage = "\u0000\u0001garbage";
      const spoil = setInterval(() => quiet.server.objects.put("bare", []), 5);
      await until(
        "it is told",
        () => heard.troubles.length === 1 && quiet.server.requests("list").length > 1,
      );
      clearInterval(spoil);
      expect(heard.troubles[0]).toMatch(/a line of its watch is no JSON/);
      quiet.server.garbage = null;
      quiet.server.objects.put("bare", []);
      await until("it is over", async () => {
        quiet.server.objects.put("bare", []);
        return heard.troubles.length === 2;
      });
      expect([heard.troubles[1], heard.kinds(key)]).toEqual([null, ["added"]]);
    } finally {
      await quiet.close();
    }
  });

  it("that nobody ends although nothing comes is begun anew, and is no trouble", async () => {
    const quiet = await new KubernetesStage({ bookmarkEvery: 0 }).started();
    try {
      const heard = stage.watch(quiet.store("node-1", { times: { silence: 200 } }));
      await until("it is watched again", () => quiet.server.requests("watch").length > 2);
      expect([heard.troubles, quiet.server.requests("list").length]).toEqual([[], 1]);
    } finally {
      await quiet.close();
    }
  });

  it("that is told something now and then goes on", async () => {
    const heard = await stage.watching(stage.store("node-1", { times: { silence: 2500 } }));
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect([stage.server.requests("watch").length, heard.troubles]).toEqual([1, []]);
  });

  it("over a connection that died silently is begun anew, and hears what happened meanwhile", async () => {
    const lease = await stage.lease(1);
    const heard = await stage.watching(stage.store("node-1", { times: { silence: 300, patience: 300 } }));
    stage.server.silent = true;
    const next = await stage.lease(2);
    await until("that is trouble", () => heard.troubles.length === 1);
    stage.server.silent = false;
    await heard.has(lease, next);
    await until("it is over", () => heard.troubles.length === 2);
    expect(heard.troubles).toEqual([expect.stringMatching(/nothing was heard of it for 0\.3 s/), null]);
  });

  it("over a connection from an address that is gone is begun anew when another address is to be told", async () => {
    const link = await Link.to(stage.server.url);
    try {
      stage.register(1);
      const conf = confOf('{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}', "assigned");
      const request = { conf, previous: null };
      const store = stage.store("node-1", { apiUrl: link.secureUrl, times: { patience: 60_000 } });
      const own = await store.acquire({ ...request, attributes: attributesOf(1) });
      const heard = await stage.watching(store);
      await heard.has(own);
      link.silence();
      const waiting = store.readHints();
      const two = await stage.lease(2);
      const moved = await store.acquire({ ...request, attributes: attributesOf(51) });
      expect((await waiting).lease).not.toBe(null);
      await heard.has(moved, two);
      expect([heard.kinds(own.key), heard.troubles]).toEqual([["added", "changed"], []]);
      expect(stage.server.requests("list").length).toBe(1);
    } finally {
      await link.cut();
    }
  });

  it("that a server ends at once is not asked for without a pause, and is trouble", async () => {
    const impatient = await new KubernetesStage({ bookmarkEvery: 0, watchFor: 0 }).started();
    try {
      const heard = stage.watch(impatient.store("node-1"));
      await until("it is told", () => heard.troubles.length > 0);
      expect(heard.troubles[0]).toMatch(/ends watches as soon as they begin$/);
    } finally {
      await impatient.close();
    }
  });
});

describeWith([tool("openssl")], "one watch for all", () => {
  it("serves who keeps and who watches, whoever comes first", async () => {
    stage.register(1);
    const store = stage.store("node-1");
    store.keep(
      () => {},
      () => {},
    );
    const lease = await stage.lease(1);
    await stage.spoil("broken", subnetsOf(2));
    await until("it is watched", () => stage.server.watches > 0);
    const heard = await stage.watching(store);
    await heard.has(lease);
    expect([heard.badNow.size, stage.server.requests("list").length]).toEqual([1, 1]);
  });

  it("ends at once, whatever it waits for", async () => {
    await stage.server.stop();
    const store = stage.store("node-1", { times: { pause: [600_000, 600_000] } });
    const heard = stage.watch(store);
    await until("it waits", () => heard.troubles.length === 1);
    await store.close();
    const second = stage.store("node-1");
    await stage.server.start();
    stage.server.silent = true;
    stage.watch(second);
    await until("it waits", () => stage.server.seen.length > 0);
    await second.close();
  });
});
