/** GET /v1/events and /v1/neigh over a real socket: a stream that goes on, and its bounds. */
import { request } from "node:http";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AgentEvent, PacketEvent } from "../../../src/agent/api/agent-view.ts";
import { ApiClient } from "../../../src/agent/api/client.ts";
import type { ApiServer } from "../../../src/agent/api/server.ts";
import { until } from "../../helpers/until.ts";
import { ApiStage } from "./api-stage.ts";
import type { FakeAgent } from "./fake-agent.ts";

let stage: ApiStage;
let path: string;
let agent: FakeAgent;
let server: ApiServer;
let client: ApiClient;
let ends: AbortController;

beforeEach(async () => {
  stage = new ApiStage();
  ({ path, agent } = stage);
  server = await stage.start();
  client = new ApiClient(path);
  ends = new AbortController();
});

afterEach(async () => {
  ends.abort();
  await stage.close();
});

function miss(n: number): AgentEvent {
  return { type: "l3miss", vni: 1, dev: "flannel.1", address: `10.0.0.${n}`, at: "2026-11-20T00:00:00.000Z" };
}

async function take(events: AsyncIterable<AgentEvent>, count: number): Promise<AgentEvent[]> {
  const taken: AgentEvent[] = [];
  for await (const event of events) if (taken.push(event) === count) break;
  return taken;
}

describe("GET /v1/events", () => {
  it("tells each client what happens from then on, longer than a request may take", async () => {
    const quick = new ApiClient(path, 1000);
    const streams = await Promise.all([client, quick].map((one) => one.events(ends.signal)));
    const heard = streams.map((stream) => take(stream, 2));
    agent.tell(miss(1));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    agent.tell(miss(2));
    for (const each of heard) expect(await each).toEqual([miss(1), miss(2)]);
    await until("nobody listens", () => agent.listeners.size === 0);
  });

  it("tells of misses, and of drops where they were asked for", async () => {
    await client.events(ends.signal);
    expect(agent.topics).toEqual(["misses"]);
    await client.events(ends.signal, ["drops"]);
    expect(agent.topics).toEqual(["drops"]);
    await client.events(ends.signal, ["misses", "drops"]);
    expect(agent.topics).toEqual(["misses", "drops"]);
  });

  it("says what there are events about to who asks for others", async () => {
    await expect(client.events(ends.signal, ["drops", "weather" as "drops"])).rejects.toMatchObject({
      reason: "BAD_REQUEST",
      message: expect.stringContaining('there are no events about "weather"'),
      remedy: "there are some about misses, drops, packets",
    });
    expect(agent.listeners.size).toBe(0);
  });

  it("ends with the server", async () => {
    const heard = take(await client.events(), 9);
    agent.tell(miss(1));
    await server.close();
    expect(await heard).toEqual([miss(1)]);
  });

  it("lets no more listen than it can bear, and says so", async () => {
    const streams = Array.from({ length: 16 }, () => client.events(ends.signal));
    await Promise.all(streams);
    await expect(client.events()).rejects.toMatchObject({ code: "REFUSED", reason: "TOO_MANY_LISTENERS" });
    ends.abort();
    await until("nobody listens", () => agent.listeners.size === 0);
    const again = new AbortController();
    await client.events(again.signal);
    again.abort();
  });

  it("skips events for one who does not read, and tells him how many; the others miss none", async () => {
    const lazy = connect(path, () => lazy.write("GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n"));
    lazy.pause();
    await until("one listens", () => agent.listeners.size === 1);
    const total = 20_000;
    const heard = take(await client.events(ends.signal), total);
    for (let n = 0; n < total; n++) {
      agent.tell(miss(n));
      if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await heard).toHaveLength(total);
    let text = "";
    lazy.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    lazy.resume();
    await new Promise((resolve) => setTimeout(resolve, 100));
    agent.tell(miss(7));
    await until("what was lost is told", () => text.includes('"lost"'));
    const [, count] = /"type":"lost","count":(\d+)/.exec(text)!;
    const told = text.match(/"l3miss"/g)!.length;
    expect(told + Number(count)).toBe(total + 1);
    lazy.destroy();
  });

  it("tells all that comes at once, however much it is", async () => {
    const packet = (n: number): PacketEvent => ({
      ...{ type: "packet", direction: "rx", vni: 1, dev: "flannel.1", layer: "udp-payload", length: 1664 },
      ...{ drop: null, bytes: "00".repeat(1664), tos: 0, train: 1, at: `${n}` },
      local: { address: "192.0.2.1", port: 8472 },
      remote: { address: "192.0.2.2", port: 50_000 },
    });
    const heard: string[] = [];
    const packets = await client.packets(ends.signal);
    for (let n = 0; n < 256; n++) agent.tell(packet(n));
    for await (const { at } of packets) if (heard.push(at) === 256) break;
    expect(heard).toEqual(Array.from({ length: 256 }, (_, n) => `${n}`));
  });

  it("takes GET only", async () => {
    const status = await new Promise((resolve) => {
      request({ socketPath: path, method: "POST", path: "/v1/events", agent: false }, (res) =>
        resolve(res.resume().statusCode),
      ).end();
    });
    expect(status).toBe(405);
  });
});

describe("/v1/neigh", () => {
  it("shows, adds and deletes", async () => {
    const mac = "02:00:00:00:00:05";
    await client.changeNeighbour({ op: "add", address: "10.0.0.5", mac });
    expect(await client.neighbours()).toEqual([{ vni: 1, dev: "flannel.1", address: "10.0.0.5", mac }]);
    await client.changeNeighbour({ op: "del", address: "10.0.0.5" });
    expect(await client.neighbours()).toEqual([]);
    const again = client.changeNeighbour({ op: "del", address: "10.0.0.5" });
    await expect(again).rejects.toMatchObject({ reason: "NO_SUCH_ROW" });
  });

  it.each([
    [{ op: "ad", address: "10.0.0.5" }],
    [{ op: "add", address: "10.0.0.5" }],
    [{ op: "add", address: 5, mac: "02:00:00:00:00:05" }],
    [{ op: "del", address: "10.0.0.5", mac: "02:00:00:00:00:05" }],
    [{ op: "del", address: "10.0.0.5", dev: "flannel.1" }],
    [null],
  ])("refuses %j", async (body) => {
    // biome-ignore lint/suspicious/noExplicitAny: what no client of ours would send
    const change = client.changeNeighbour(body as any);
    await expect(change).rejects.toMatchObject({ reason: "BAD_REQUEST", exitCode: 2 });
  });
});
