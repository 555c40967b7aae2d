/** Everybody's leases, over all that an API server and the way to it can do. */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { NodeLease } from "../../../src/control/flannel/node-lease.ts";
import type { KubernetesStore } from "../../../src/stores/kubernetes/store.ts";
import { Heard, until } from "../../contract/heard.ts";
import { attributesOf, confOf, subnetsOf } from "../../contract/store.contract.ts";
import { describeWith, tool } from "../../helpers/needs.ts";
import { Link } from "../etcd/link.ts";
import { makeAuthority } from "./certificates.ts";
import { flannelsAnnotations, KubernetesStage, prefixed } from "./stage.ts";

let stage: KubernetesStage;
const heards: Heard[] = [];

beforeEach(async () => {
  stage = await new KubernetesStage().started();
});

afterEach(async () => {
  await stage.close();
  // Whatever happened: nothing was told twice, and trouble and its end in turns.
  expect(heards.splice(0).flatMap(({ faults }) => faults)).toEqual([]);
});

async function put(n: number, look = n): Promise<NodeLease> {
  const key = await stage.put(`stranger-${n}`, subnetsOf(n), attributesOf(look));
  return { key, subnets: subnetsOf(n), attributes: attributesOf(look) };
}

function watch(store: KubernetesStore = stage.store("node-1")): Heard {
  const heard = new Heard();
  heards.push(heard);
  store.watch(heard);
  return heard;
}

/** A watcher that has heard all there is, and whose watch is open. */
async function watching(store?: KubernetesStore): Promise<Heard> {
  const heard = watch(store);
  await until("all there is has been told", () => heard.calls > 0 && stage.server.watches > 0);
  return heard;
}

describeWith([tool("openssl")], "leases of nodes", () => {
  it("come with flannel's annotation, change, and go with it or with the node", async () => {
    const heard = await watching();
    const [one, two] = [await put(1), await put(2)];
    stage.server.objects.put("bare", ["10.244.9.0/24"]);
    await heard.has(one, two);
    stage.server.objects.annotate(one.key, prefixed({ "public-ip": "192.0.2.88" }));
    const moved = { ...one, attributes: { ...one.attributes, publicIp: "192.0.2.88" } };
    await heard.has(moved, two);
    stage.server.objects.annotate(one.key, { "flannel.alpha.coreos.com/kube-subnet-manager": null });
    await heard.has(two);
    stage.server.objects.delete(two.key);
    await heard.has();
    expect([heard.kinds(one.key), heard.kinds(two.key), heard.kinds("bare")]).toEqual([
      ["added", "changed", "removed"],
      ["added", "removed"],
      [],
    ]);
  });

  it("say nothing where a node's status changes, as kubelets do it all the time", async () => {
    const heard = await watching();
    const lease = await put(1);
    for (let n = 0; n < 5; n++) {
      stage.server.objects.patch(lease.key, {
        status: { conditions: [{ type: "Ready", lastHeartbeatTime: `${n}` }] },
      });
    }
    const last = await put(2);
    await heard.has(lease, last);
    expect(heard.changes).toHaveLength(2);
  });

  it("change with their podCIDR, which flannel does not notice", async () => {
    const lease = await put(1);
    const heard = await watching();
    stage.server.objects.put(lease.key, ["10.244.201.0/24"], flannelsAnnotations(lease.attributes));
    await heard.has({ ...lease, subnets: { ipv4: "10.244.201.0/24", ipv6: null } });
    expect(heard.kinds(lease.key)).toEqual(["added", "changed"]);
  });

  it("can be a load balancer's, which has written its annotations by hand", async () => {
    const written = { "kube-subnet-manager": "true", "backend-type": "vxlan", "public-ip": "192.0.2.200" };
    const data = (text: string) => prefixed({ ...written, "backend-data": text });
    stage.server.objects.put("bigip-1", ["10.244.20.0/24"], data('{"VtepMAC":"02:11:22:33:44:55"}'));
    stage.server.objects.put(
      "bigip-2",
      ["10.244.21.0/24"],
      data('{"VNI": 1, "VtepMAC": "02:11:22:33:44:56"}'),
    );
    const heard = await watching();
    expect([...heard.leases.values()].map(({ attributes }) => attributes.backendData)).toEqual([
      { VtepMAC: "02:11:22:33:44:55" },
      { VNI: 1, VtepMAC: "02:11:22:33:44:56" },
    ]);
  });

  it("are told as bad one by one, and the others work", async () => {
    stage.server.objects.put("huge", ["10.244.20.0/24"], {
      ...flannelsAnnotations(attributesOf(20)),
      "flannel.alpha.coreos.com/backend-data": "x".repeat(2 ** 20),
    });
    await stage.spoil("broken", subnetsOf(21));
    const good = await put(1);
    const heard = await watching();
    await heard.has(good);
    expect(Object.fromEntries(heard.badNow)).toEqual({
      broken: "its annotation backend-data is no JSON: {VNI: 1",
      huge: "its annotation backend-data has 1048576 characters, and should have less than a hundred",
    });
  });

  it("of more than a page are told at once", async () => {
    const leases: NodeLease[] = [];
    for (let n = 0; n < 1101; n++) {
      const [subnets, key] = [{ ipv4: `10.${n >> 8}.${n & 255}.0/24`, ipv6: null }, `node-${n}`];
      await stage.put(key, subnets, attributesOf(1));
      leases.push({ key, subnets, attributes: attributesOf(1) });
    }
    const heard = await watching();
    await heard.has(...leases);
    expect([heard.calls, stage.server.requests("list").map(({ query }) => query.get("limit"))]).toEqual([
      1,
      ["500", "500", "500"],
    ]);
  });

  it("that are forgotten between two pages are listed from the start", async () => {
    for (let n = 0; n < 501; n++) stage.server.objects.put(`n-${n}`, []);
    const lease = await put(1);
    stage.server.slow = 300;
    const heard = watch();
    await until("the second page is asked for", () => stage.server.requests("list").length === 2);
    stage.server.objects.compact();
    stage.server.slow = 0;
    await heard.has(lease);
    expect([stage.server.requests("list").length, heard.calls, heard.troubles]).toEqual([4, 1, []]);
  });
});

describeWith([tool("openssl")], "a watch", () => {
  it("asks for bookmarks and for an end, and goes on from the last version it heard of", async () => {
    const heard = await watching();
    const versionAtFirst = stage.server.objects.version;
    const [request] = stage.server.requests("watch");
    expect(Object.fromEntries(request!.query)).toEqual({
      watch: "true",
      allowWatchBookmarks: "true",
      timeoutSeconds: expect.stringMatching(/^[3-6]\d\d$/),
      resourceVersion: String(versionAtFirst),
    });
    const lease = await put(1);
    await heard.has(lease);
    stage.server.endWatches();
    await until("it is watched again", () => stage.server.watches > 0);
    expect(stage.server.requests("watch")[1]?.query.get("resourceVersion")).toBe(String(versionAtFirst + 1));
    expect([stage.server.requests("list").length, heard.troubles]).toEqual([1, []]);
  });

  it("knows by bookmarks where it is although nothing happens", async () => {
    const heard = await watching();
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
      const [one, two, three] = [await put(1), await put(2), await put(3)];
      const heard = await watching();
      await stage.server.stop();
      stage.server.objects.delete(one.key);
      const changed = await put(2, 52);
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
    const lease = await put(1);
    const heard = await watching();
    stage.server.error(410);
    await until("there is a new list", () => stage.server.requests("list").length === 2);
    const next = await put(2);
    await heard.has(lease, next);
    expect([heard.kinds(lease.key), heard.troubles]).toEqual([["added"], []]);
  });

  it("whose version a server does not know yet begins with a new list", async () => {
    const heard = await watching();
    stage.server.faults.push({ verb: "watch", status: 504, times: 1 });
    stage.server.endWatches();
    await until("there is a new list", () => stage.server.requests("list").length === 2);
    await heard.has(await put(1));
  });

  it("that breaks in the middle of a line goes on, and is no trouble", async () => {
    const heard = await watching();
    const lease = await put(1);
    await heard.has(lease);
    stage.server.breakWatches('{"type":"DELETED","object":{"kind":"Node","metadata":{"name":"stranger-1"');
    await until("it is watched again", () => stage.server.watches > 0);
    const next = await put(2);
    await heard.has(lease, next);
    expect([heard.kinds(lease.key), heard.troubles]).toEqual([["added"], []]);
    expect(stage.server.requests("list")).toHaveLength(1);
  });

  it("takes lines in whatever pieces they come", async () => {
    const quiet = await new KubernetesStage({ bookmarkEvery: 0 }).started();
    try {
      const heard = watch(quiet.store("node-1"));
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
    const lease = await put(1);
    const heard = await watching();
    stage.server.write(`${line}\n`);
    await until("it is watched again", () => stage.server.requests("watch").length > 1);
    const next = await put(2);
    await heard.has(lease, next);
    expect([heard.kinds(lease.key), heard.troubles]).toEqual([["added"], []]);
  });

  it("that sends nothing but garbage is trouble, lists again, and takes nobody away", async () => {
    const quiet = await new KubernetesStage({ bookmarkEvery: 0 }).started();
    try {
      const key = await quiet.put("stranger-1", subnetsOf(1), attributesOf(1));
      const heard = watch(quiet.store("node-1", { times: { settled: 60_000 } }));
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
      const heard = watch(quiet.store("node-1", { times: { silence: 200 } }));
      await until("it is watched again", () => quiet.server.requests("watch").length > 2);
      expect([heard.troubles, quiet.server.requests("list").length]).toEqual([[], 1]);
    } finally {
      await quiet.close();
    }
  });

  it("that is told something now and then goes on", async () => {
    const heard = await watching(stage.store("node-1", { times: { silence: 2500 } }));
    await new Promise((resolve) => setTimeout(resolve, 3000));
    expect([stage.server.requests("watch").length, heard.troubles]).toEqual([1, []]);
  });

  it("over a connection that died silently is begun anew, and hears what happened meanwhile", async () => {
    const lease = await put(1);
    const heard = await watching(stage.store("node-1", { times: { silence: 300, patience: 300 } }));
    stage.server.silent = true;
    const next = await put(2);
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
      const heard = await watching(store);
      await heard.has(own);
      link.silence();
      const waiting = store.readHints();
      const two = await put(2);
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
      const heard = watch(impatient.store("node-1"));
      await until("it is told", () => heard.troubles.length > 0);
      expect(heard.troubles[0]).toMatch(/ends watches as soon as they begin$/);
    } finally {
      await impatient.close();
    }
  });
});

describeWith([tool("openssl")], "trouble", () => {
  it("at the start is told once, and everything once it is over", async () => {
    const lease = await put(1);
    await stage.server.stop();
    const heard = watch();
    await until("it is told", () => heard.troubles.length === 1);
    expect(heard.troubles[0]).toMatch(/cannot be reached: connect ECONNREFUSED .*; is it running/);
    expect(heard.calls).toBe(0);
    await stage.server.start();
    await until("it is over", () => heard.troubles.length === 2);
    expect([heard.troubles[1], [...heard.leases.values()]]).toEqual([null, [lease]]);
  });

  it.each([
    ["list", 401, /does not know us .*; the token has expired/],
    ["list", 403, /refused to list nodes: forbidden .*; the verb "list" on "nodes" is missing/],
    ["watch", 403, /refused to watch nodes: forbidden .*; the verb "watch" on "nodes" is missing/],
    ["list", 429, /refused to list nodes \(429: test says TooManyRequests\)$/],
    ["watch", 500, /refused to watch nodes \(500: test says InternalError\); see the API server's log$/],
    ["list", 404, /has no nodes: it is no API server of Kubernetes'/],
  ] as const)("of a %s that is answered by %i is told once, in words", async (verb, status, words) => {
    const lease = await put(1);
    stage.server.faults.push({ verb, status });
    const heard = watch();
    await until("it is asked again", () => stage.server.requests(verb).length > 4);
    expect(heard.troubles).toEqual([expect.stringMatching(words)]);
    stage.server.faults.length = 0;
    await until("it is over", () => heard.troubles.length === 2);
    await heard.has(lease);
  });

  it("takes nobody away, however long", async () => {
    const lease = await put(1);
    const heard = await watching();
    stage.server.faults.push({ status: 500 });
    stage.server.breakWatches();
    await until("it is told", () => heard.troubles.length === 1);
    await until("it is asked many times", () => stage.server.requests("watch").length > 10);
    expect(stage.server.requests("list")).toHaveLength(1);
    stage.server.faults.length = 0;
    await until("it is over", () => heard.troubles.length === 2);
    expect([heard.kinds(lease.key), stage.server.requests("list").length]).toEqual([["added"], 1]);
  });

  it("is waited out as long as the server asks for", async () => {
    stage.server.faults.push({ verb: "list", status: 429, headers: { "retry-after": "1" }, times: 1 });
    const start = performance.now();
    await watching();
    expect(performance.now() - start).toBeGreaterThan(990);
  });

  it("of lists that are none, or that never end, is told", async () => {
    stage.server.faults.push({ verb: "list", status: 200, body: '{"kind":"NodeList","items":[{"a":' });
    const heard = watch();
    await until("it is told", () => heard.troubles.length === 1);
    expect(heard.troubles[0]).toMatch(/its list of nodes is none/);
    stage.server.faults.length = 0;
    await until("it is over", () => heard.troubles.length === 2);
  });

  it("does not come of a new token or of a new CA", async () => {
    const heard = await watching();
    const next = makeAuthority("next CA");
    await stage.server.stop();
    stage.server.tokens.clear();
    stage.server.tokens.add("token-2");
    stage.giveToken("token-2");
    stage.giveCa(next.ca);
    await stage.server.start(next.sign("kubernetes"));
    next.close();
    await heard.has(await put(1));
    const words = heard.troubles.filter((trouble) => trouble !== null);
    expect(words.filter((trouble) => !trouble.includes("cannot be reached"))).toEqual([]);
  });

  it("of slowness is none", async () => {
    const lease = await put(1);
    stage.server.slow = 100;
    const heard = await watching();
    await heard.has(lease);
    expect(heard.troubles).toEqual([]);
  });

  it("of an option is told by the watch, too", async () => {
    const heard = watch(stage.store("node-1", { env: {} }));
    await until("it is told", () => heard.troubles.length === 1);
    expect(heard.troubles[0]).toMatch(/^where is the API server\?/);
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
    const lease = await put(1);
    await stage.spoil("broken", subnetsOf(2));
    await until("it is watched", () => stage.server.watches > 0);
    const heard = await watching(store);
    await heard.has(lease);
    expect([heard.badNow.size, stage.server.requests("list").length]).toEqual([1, 1]);
  });

  it("ends at once, whatever it waits for", async () => {
    await stage.server.stop();
    const store = stage.store("node-1", { times: { pause: [600_000, 600_000] } });
    const heard = watch(store);
    await until("it waits", () => heard.troubles.length === 1);
    await store.close();
    const second = stage.store("node-1");
    await stage.server.start();
    stage.server.silent = true;
    watch(second);
    await until("it waits", () => stage.server.seen.length > 0);
    await second.close();
  });
});
