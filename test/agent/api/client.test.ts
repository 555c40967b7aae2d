/** The client against a real server, and against everything that can be in its place. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ApiClient, ApiClientError } from "../../../src/agent/api/client.ts";
import { startApiServer } from "../../../src/agent/api/server.ts";
import { FakeAgent, healthyStatus } from "./fake-agent.ts";

let folder: string;
let path: string;
let cleanups: (() => Promise<unknown> | unknown)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "poplin-client-"));
  path = join(folder, "agent.sock");
  cleanups = [];
});

afterEach(async () => {
  for (const cleanup of cleanups) await cleanup();
  rmSync(folder, { recursive: true, force: true });
});

async function startFake(): Promise<FakeAgent> {
  const agent = new FakeAgent();
  const server = await startApiServer({ path, view: agent });
  cleanups.push(() => server.close());
  return agent;
}

/** Something else that listens on the socket. */
async function listen(server: Server): Promise<void> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket));
  server.listen(path);
  await once(server, "listening");
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
}

async function errorOf(promise: Promise<unknown>): Promise<ApiClientError> {
  const error = await promise.then(
    () => null,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(ApiClientError);
  return error as ApiClientError;
}

describe("with an agent", () => {
  it("reads status, stats and rows, and changes rows", async () => {
    const agent = await startFake();
    agent.count("rxFrames", 5);
    const client = new ApiClient(path);
    expect(await client.status()).toEqual(healthyStatus());
    expect((await client.stats()).rxFrames).toBe(5);
    await client.changeFdb({ op: "add", mac: "aa:bb:cc:dd:ee:ff", dst: "192.0.2.1" });
    expect(await client.fdb()).toEqual([
      {
        mac: "aa:bb:cc:dd:ee:ff",
        dev: "flannel.1",
        vni: 1,
        dst: "192.0.2.1",
        port: 8472,
        state: "permanent",
      },
    ]);
  });

  it("names the overlay that is meant by its VNI, its device, or both", async () => {
    const agent = await startFake();
    const client = new ApiClient(path);
    for (const choice of [{}, { vni: 7 }, { dev: "flannel-v6.1" }, { vni: 1, dev: "a&vni=2" }]) {
      await client.fdb(choice);
      expect(agent.choice).toEqual(choice);
    }
  });

  it("reads what a comparison would change, and has it made", async () => {
    const agent = await startFake();
    agent.steps = ["flannel.1: addr replace 10.244.1.0/32"];
    const client = new ApiClient(path);
    expect(await client.plan()).toEqual(agent.steps);
    expect(await client.reconcile()).toBe(1);
    expect(await client.plan()).toEqual([]);
  });

  it("reads an answer of thousands of rows", async () => {
    const agent = await startFake();
    for (let i = 0; i < 5000; i++) {
      const mac = `02:00:00:00:${(i >> 8).toString(16).padStart(2, "0")}:${(i & 255).toString(16).padStart(2, "0")}`;
      await agent.changeFdb({ op: "add", mac, dst: "192.0.2.1" });
    }
    expect(await new ApiClient(path).fdb()).toHaveLength(5000);
  });

  it("hands on why the agent refuses: exit code 2 for wrong words, else 1", async () => {
    await startFake();
    const client = new ApiClient(path);
    const bad = await errorOf(client.changeFdb({ op: "add", mac: "xx", dst: "192.0.2.1" }));
    expect(bad).toMatchObject({ code: "REFUSED", reason: "WIRE_BAD_MAC", exitCode: 2 });
    const missing = await errorOf(client.changeFdb({ op: "del", mac: "00:00:00:00:00:01" }));
    expect(missing).toMatchObject({
      code: "REFUSED",
      reason: "NO_SUCH_ROW",
      exitCode: 1,
      message: "00:00:00:00:00:01 has no row",
      remedy: "`poplin fdb` lists them",
    });
  });
});

describe("without one", () => {
  it("exit code 3 when there is no socket", async () => {
    const error = await errorOf(new ApiClient(path).status());
    expect(error).toMatchObject({ code: "AGENT_NOT_RUNNING", exitCode: 3 });
    expect(error.message).toContain(path);
    expect(error.remedy).toContain("poplin agent");
  });

  it("exit code 3 when the socket is a plain file", async () => {
    writeFileSync(path, "");
    expect(await errorOf(new ApiClient(path).status())).toMatchObject({
      code: "AGENT_NOT_RUNNING",
      exitCode: 3,
    });
  });

  it("exit code 5 when it does not answer in time", async () => {
    await listen(createServer(() => {}));
    const error = await errorOf(new ApiClient(path, 50).status());
    expect(error).toMatchObject({ code: "TIMEOUT", exitCode: 5, message: expect.stringContaining("0.05 s") });
  });

  it("exit code 5 when the answer never ends", async () => {
    await listen(createHttpServer((_, res) => res.writeHead(200).write("{")));
    expect(await errorOf(new ApiClient(path, 100).status())).toMatchObject({ code: "TIMEOUT" });
  });

  it("says so when something else answers", async () => {
    await listen(createHttpServer((_, res) => res.end("<html>hello</html>")));
    expect(await errorOf(new ApiClient(path).status())).toMatchObject({ code: "BAD_ANSWER", exitCode: 1 });
  });

  it("says so when an error comes without its words", async () => {
    await listen(createHttpServer((_, res) => res.writeHead(500).end("{}")));
    expect(await errorOf(new ApiClient(path).status())).toMatchObject({ code: "BAD_ANSWER" });
  });

  it("says so when the connection breaks", async () => {
    await listen(createServer((socket) => socket.destroy()));
    expect(await errorOf(new ApiClient(path).status())).toMatchObject({
      code: "BAD_ANSWER",
      message: expect.stringContaining("broke"),
    });
  });
});
