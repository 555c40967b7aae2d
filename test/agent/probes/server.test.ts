/** The pages over TCP: what is served, and what is not. */
import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, expect, it } from "vitest";
import { serveHealth } from "../../../src/agent/probes/address.ts";
import { HealthServer } from "../../../src/agent/probes/server.ts";
import { FakeAgent } from "../api/fake-agent.ts";

const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

async function start(agent = new FakeAgent()): Promise<string> {
  const server = await HealthServer.start({ host: "127.0.0.1", port: 0 }, agent);
  open.push(server);
  return `http://127.0.0.1:${server.port}`;
}

async function ask(url: string, method = "GET"): Promise<[status: number, text: string]> {
  const answer = await fetch(url, { method });
  return [answer.status, await answer.text()];
}

it("answers what machines ask, with the reasons line by line", async () => {
  const agent = new FakeAgent();
  const url = await start(agent);
  expect(await ask(`${url}/healthz`)).toEqual([200, "poplin is running"]);
  expect(await ask(`${url}/livez`)).toEqual([200, "alive"]);
  expect(await ask(`${url}/readyz?verbose`)).toEqual([200, "poplin is ready"]);
  expect(await ask(`${url}/readyz`, "HEAD")).toEqual([200, ""]);
  agent.notAlive = ["a does not answer"];
  agent.notReady = ["one reason", "another"];
  expect(await ask(`${url}/livez`)).toEqual([503, "not alive\na does not answer"]);
  expect(await ask(`${url}/readyz`)).toEqual([503, "poplin is not ready\none reason\nanother"]);
  const metrics = await fetch(`${url}/metrics`);
  expect(metrics.headers.get("content-type")).toBe("text/plain; version=0.0.4");
  expect(metrics.headers.get("connection")).toBe("close");
});

it("has nothing of the API, changes nothing, and says so when a page fails", async () => {
  const agent = new FakeAgent();
  const url = await start(agent);
  for (const path of ["/v1/status", "/v1/fdb", "/", "/metrics/", "/../v1/stats"]) {
    expect(await ask(url + path)).toEqual([404, "404 page not found\n"]);
  }
  for (const method of ["POST", "PUT", "DELETE"]) {
    expect((await ask(`${url}/v1/fdb/flush`, method))[0]).toBe(405);
    expect((await ask(`${url}/metrics`, method))[0]).toBe(405);
  }
  agent.metrics = () => Promise.reject(new Error("no answer in time"));
  expect(await ask(`${url}/metrics`)).toEqual([500, "500 no answer in time\n"]);
});

it("takes no endless header", async () => {
  const port = Number(new URL(await start()).port);
  const socket = connect(port, "127.0.0.1");
  open.push({ close: () => socket.destroy() });
  socket.write(`GET / HTTP/1.1\r\nx: ${"y".repeat(20_000)}`);
  const [answer] = (await once(socket, "data")) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 431 /);
});

it("listens on IPv6, too, and says what to do where it cannot", async () => {
  const agent = new FakeAgent();
  const first = await serveHealth("[::1]:0", agent);
  open.push(first);
  expect((await ask(`http://[::1]:${first.port}/healthz`))[0]).toBe(200);
  await expect(serveHealth(`[::1]:${first.port}`, agent)).rejects.toMatchObject({
    code: "HOST_BAD_OPTION",
    message: expect.stringMatching(/nothing can listen on healthAddress \[::1\]:\d+: .*EADDRINUSE/),
    remedy: expect.stringMatching(/--health-address/),
  });
});
