/** How little a client can hold up: its time is up after five seconds. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { HealthServer } from "../../../src/agent/probes/server.ts";
import { until } from "../../helpers/until.ts";
import { FakeAgent } from "../api/fake-agent.ts";

const open: { close(): unknown }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

it("lets no more than a few in, and nobody stay: silent clients are sent away", async () => {
  const server = await HealthServer.start({ host: "127.0.0.1", port: 0 }, new FakeAgent());
  open.push(server);
  const { port } = server;
  const closed = new Set<Socket>();
  const clients = Array.from({ length: 40 }, () => {
    const socket = connect(port, "127.0.0.1").on("error", () => {});
    socket.on("close", () => closed.add(socket));
    // Whether it is sent away with 408 or without a word: who reads neither would not notice the end behind an answer.
    socket.resume();
    socket.write("GET /metrics HTTP/1.1\r\n"); // and nothing more
    open.push({ close: () => socket.destroy() });
    return socket;
  });
  // Those beyond the limit at once, the oldest first; all others after a few seconds.
  await until("some are sent away", () => closed.size >= 8);
  expect(clients.slice(0, 8).every((client) => closed.has(client))).toBe(true);
  await until("all are gone", () => closed.size === clients.length);
  expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
});

it("has room for whoever asks, however many silent clients there are", async () => {
  const server = await HealthServer.start({ host: "127.0.0.1", port: 0 }, new FakeAgent());
  open.push(server);
  const crowd = async (): Promise<void> => {
    const clients = Array.from({ length: 50 }, () => connect(server.port, "127.0.0.1").on("error", () => {}));
    open.push(...clients.map((socket) => ({ close: () => socket.destroy() })));
    await Promise.all(clients.map((client) => once(client, "connect")));
  };
  for (let i = 0; i < 5; i++) {
    await crowd();
    expect((await fetch(`http://127.0.0.1:${server.port}/livez`)).status).toBe(200);
  }
});
