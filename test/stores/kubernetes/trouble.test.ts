/** What the watch of leases tells while the API server does not answer, or not as it should. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { describeWith, tool } from "../../helpers/needs.ts";
import { until } from "../../helpers/until.ts";
import { makeAuthority } from "./certificates.ts";
import { WatchedStage } from "./watched-stage.ts";

let stage: WatchedStage;

beforeEach(async () => {
  stage = await new WatchedStage().started();
});

afterEach(() => stage.close());

describeWith([tool("openssl")], "trouble", () => {
  it("at the start is told once, and everything once it is over", async () => {
    const lease = await stage.lease(1);
    await stage.server.stop();
    const heard = stage.watch();
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
    const lease = await stage.lease(1);
    stage.server.faults.push({ verb, status });
    const heard = stage.watch();
    await until("it is asked again", () => stage.server.requests(verb).length > 4);
    expect(heard.troubles).toEqual([expect.stringMatching(words)]);
    stage.server.faults.length = 0;
    await until("it is over", () => heard.troubles.length === 2);
    await heard.has(lease);
  });

  it("takes nobody away, however long", async () => {
    const lease = await stage.lease(1);
    const heard = await stage.watching();
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
    await stage.watching();
    expect(performance.now() - start).toBeGreaterThan(990);
  });

  it("of lists that are none, or that never end, is told", async () => {
    stage.server.faults.push({ verb: "list", status: 200, body: '{"kind":"NodeList","items":[{"a":' });
    const heard = stage.watch();
    await until("it is told", () => heard.troubles.length === 1);
    expect(heard.troubles[0]).toMatch(/its list of nodes is none/);
    stage.server.faults.length = 0;
    await until("it is over", () => heard.troubles.length === 2);
  });

  it("does not come of a new token or of a new CA", async () => {
    const heard = await stage.watching();
    const next = makeAuthority("next CA");
    await stage.server.stop();
    stage.server.tokens.clear();
    stage.server.tokens.add("token-2");
    stage.giveToken("token-2");
    stage.giveCa(next.ca);
    await stage.server.start(next.sign("kubernetes"));
    next.close();
    await heard.has(await stage.lease(1));
    const words = heard.troubles.filter((trouble) => trouble !== null);
    expect(words.filter((trouble) => !trouble.includes("cannot be reached"))).toEqual([]);
  });

  it("of slowness is none", async () => {
    const lease = await stage.lease(1);
    stage.server.slow = 100;
    const heard = await stage.watching();
    await heard.has(lease);
    expect(heard.troubles).toEqual([]);
  });

  it("of an option is told by the watch, too", async () => {
    const heard = stage.watch(stage.store("node-1", { env: {} }));
    await until("it is told", () => heard.troubles.length === 1);
    expect(heard.troubles[0]).toMatch(/^where is the API server\?/);
  });
});
