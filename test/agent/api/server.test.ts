/** The API over a real Unix socket: what it answers, and what it refuses. The socket itself: `socket-file.test.ts`. */
import { request } from "node:http";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ApiServer } from "../../../src/agent/api/server.ts";
import { until } from "../../helpers/until.ts";
import { ApiStage } from "./api-stage.ts";
import { type FakeAgent, healthyStatus } from "./fake-agent.ts";

let stage: ApiStage;
let agent: FakeAgent;

beforeEach(() => {
  stage = new ApiStage();
  agent = stage.agent;
});

afterEach(() => stage.close());

const start = (): Promise<ApiServer> => stage.start();

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says is what the tests look at
  readonly json: any;
}

function ask(method: string, url: string, body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath: stage.path, method, path: url, agent: false }, (res) => {
      let text = "";
      res.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      res.on("end", () =>
        resolve({ status: res.statusCode ?? 0, headers: res.headers, json: JSON.parse(text) }),
      );
      res.on("error", reject);
    });
    req.on("error", reject);
    req.end(body);
  });
}

/** What a connection that sends `bytes` and keeps its end open gets back. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(stage.path, () => socket.write(bytes));
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("close", () => resolve(text));
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNRESET" && error.code !== "EPIPE") reject(error);
    });
  });
}

describe("GET", () => {
  it("answers /v1/status with what the agent says", async () => {
    await start();
    const answer = await ask("GET", "/v1/status");
    expect(answer.status).toBe(200);
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(answer.json).toEqual(healthyStatus());
  });

  it("answers /v1/stats with the counters and the schema", async () => {
    agent.count("txFrames", 12);
    agent.drop("rx", "VXLAN_VNI_NOT_FOUND", 3);
    await start();
    const { json } = await ask("GET", "/v1/stats");
    expect(json).toMatchObject({
      schema: 1,
      txFrames: 12,
      rxFrames: 0,
      drops: { tx: {}, rx: { VXLAN_VNI_NOT_FOUND: 3 } },
    });
  });

  it("answers /v1/fdb with the rows", async () => {
    await agent.changeFdb({ op: "add", mac: "aa:bb:cc:dd:ee:ff", dst: "192.0.2.7" });
    await start();
    expect((await ask("GET", "/v1/fdb?x=1")).json).toEqual({
      schema: 1,
      rows: [
        {
          mac: "aa:bb:cc:dd:ee:ff",
          dev: "flannel.1",
          vni: 1,
          dst: "192.0.2.7",
          port: 8472,
          state: "permanent",
        },
      ],
    });
  });

  it("answers /v1/plan with the steps, and /v1/reconcile with how many rows were changed", async () => {
    agent.steps = ["flannel.1: neigh replace 10.244.2.0 lladdr aa:bb:cc:00:00:03"];
    await start();
    expect((await ask("GET", "/v1/plan")).json).toEqual({ schema: 1, steps: agent.steps });
    expect((await ask("GET", "/v1/reconcile")).status).toBe(405);
    expect((await ask("POST", "/v1/reconcile")).json).toEqual({ schema: 1, changed: 1 });
  });

  it("hands the choice of an overlay on, and refuses what is no VNI", async () => {
    await start();
    await ask("GET", "/v1/fdb?vni=7&dev=flannel-v6.1");
    expect(agent.choice).toEqual({ vni: 7, dev: "flannel-v6.1" });
    const { status, json } = await ask("GET", "/v1/fdb?vni=x");
    expect([status, json.error.code]).toEqual([400, "BAD_VNI"]);
  });

  it("answers many at once, each with its own", async () => {
    let n = 0;
    agent.answer = async () => {
      const pid = ++n;
      await new Promise((resolve) => setTimeout(resolve, 20));
      return healthyStatus({ pid });
    };
    await start();
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask("GET", "/v1/status")));
    expect(new Set(answers.map((a) => a.json.pid)).size).toBe(40);
  });

  it("answers what is under way when the server is closed", async () => {
    let asked = false;
    agent.answer = async () => {
      asked = true;
      await new Promise((resolve) => setTimeout(resolve, 50));
      return healthyStatus();
    };
    const server = await start();
    const answer = ask("GET", "/v1/status");
    await until("it is asked", () => asked);
    await server.close();
    expect((await answer).status).toBe(200);
  });

  it("does not wait for ever for an agent that never answers, when the server is closed", async () => {
    let asked = false;
    agent.answer = () => new Promise(() => (asked = true));
    const server = await start();
    const answer = ask("GET", "/v1/status");
    const failed = expect(answer).rejects.toThrow();
    await until("it is asked", () => asked);
    await server.close();
    await failed;
  });

  it("answers 500 with the message when the agent fails, and tells the agent's log", async () => {
    agent.answer = async () => {
      throw new Error("the table is upside down");
    };
    await start();
    const { status, json } = await ask("GET", "/v1/status");
    expect(status).toBe(500);
    expect(json.error).toEqual({ code: "INTERNAL", message: "the table is upside down", remedy: null });
    expect(stage.errors).toHaveLength(1);
  });
});

describe("what has no route", () => {
  it.each(["/", "/v1/statu", "/v2/status", "/v1/status/", "/__proto__", "/v1/constructor"])(
    "404 for %s",
    async (url) => {
      await start();
      const { status, json } = await ask("GET", url);
      expect(status).toBe(404);
      expect(json.error).toMatchObject({ code: "NOT_FOUND", remedy: expect.stringContaining("/v1/status") });
    },
  );

  it.each([
    ["DELETE", "/v1/fdb"],
    ["POST", "/v1/status"],
    ["PUT", "/v1/stats"],
  ])("405 for %s %s, with what it takes", async (method, url) => {
    await start();
    const { status, json } = await ask(method, url);
    expect(status).toBe(405);
    expect(json.error).toMatchObject({ code: "METHOD_NOT_ALLOWED", remedy: expect.stringContaining("GET") });
  });
});

describe("POST /v1/fdb", () => {
  const MAC = "aa:bb:cc:dd:ee:ff";
  const post = (body: unknown) =>
    ask("POST", "/v1/fdb", typeof body === "string" ? body : JSON.stringify(body));

  it("adds, replaces and deletes", async () => {
    await start();
    expect((await post({ op: "add", mac: MAC, dst: "192.0.2.1" })).status).toBe(200);
    expect((await post({ op: "replace", mac: MAC, dst: "192.0.2.2", port: 4789 })).status).toBe(200);
    expect(agent.rows.get(MAC)).toMatchObject({ dst: "192.0.2.2", port: 4789 });
    expect((await post({ op: "del", mac: MAC })).status).toBe(200);
    expect(agent.rows.size).toBe(0);
  });

  it("passes the agent's refusals on", async () => {
    await start();
    await post({ op: "add", mac: MAC, dst: "192.0.2.1" });
    const again = await post({ op: "add", mac: MAC, dst: "192.0.2.1" });
    expect(again.status).toBe(409);
    expect(again.json.error).toEqual({
      code: "ROW_EXISTS",
      message: `${MAC} has a row`,
      remedy: "use `poplin fdb replace`",
    });
    expect((await post({ op: "del", mac: "00:00:00:00:00:01" })).status).toBe(404);
    expect((await post({ op: "add", mac: "nonsense", dst: "192.0.2.1" })).status).toBe(400);
    expect(stage.errors).toEqual([]);
  });

  it("spells a MAC in one way", async () => {
    await start();
    await post({ op: "add", mac: "AA-BB-CC-DD-EE-FF", dst: "192.0.2.1" });
    expect([...agent.rows.keys()]).toEqual([MAC]);
  });

  it.each([
    ["", "BAD_JSON"],
    ["{", "BAD_JSON"],
    ["\u0000\u0001", "BAD_JSON"],
    ["[]", "BAD_REQUEST"],
    ["null", "BAD_REQUEST"],
    ['"add"', "BAD_REQUEST"],
    [{ op: "ad", mac: MAC, dst: "192.0.2.1" }, "BAD_REQUEST"],
    [{ op: ["add"], mac: MAC, dst: "192.0.2.1" }, "BAD_REQUEST"],
    [{ op: "add", mac: 17, dst: "192.0.2.1" }, "BAD_REQUEST"],
    [{ op: "add", mac: MAC }, "BAD_REQUEST"],
    [{ op: "replace", mac: MAC, dst: null }, "BAD_REQUEST"],
    [{ op: "add", mac: MAC, dst: "192.0.2.1", port: 0 }, "BAD_REQUEST"],
    [{ op: "add", mac: MAC, dst: "192.0.2.1", port: 1.5 }, "BAD_REQUEST"],
    [{ op: "add", mac: MAC, dst: "192.0.2.1", vni: 2 }, "BAD_REQUEST"],
  ])("400 for %j", async (body, code) => {
    await start();
    const { status, json } = await post(body);
    expect(status).toBe(400);
    expect(json.error.code).toBe(code);
    expect(json.error.message).not.toBe("");
    expect(agent.rows.size).toBe(0);
  });

  it("413 for a body that is too large, announced or not", async () => {
    await start();
    const large = " ".repeat(20_000);
    expect((await post(large)).status).toBe(413);
    const head = "POST /v1/fdb HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    const chunk = `1000\r\n${" ".repeat(4096)}\r\n`;
    expect(await raw(head + chunk.repeat(5))).toContain("413");
  });

  it("survives what is no HTTP", async () => {
    await start();
    expect(await raw("\u0000\u0001\u0002 nonsense\r\n\r\n")).toContain("400");
    expect(await raw(`GET /v1/status HTTP/1.1\r\nx: ${"y".repeat(40_000)}\r\n\r\n`)).toContain("431");
    expect((await ask("GET", "/v1/status")).status).toBe(200);
  });
});

describe("what machines ask", () => {
  it("is text on the same socket", async () => {
    await start();
    agent.notReady = ["one reason"];
    const answer = await raw("GET /readyz?verbose HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(answer).toMatch(/\r\n\r\npoplin is not ready\none reason$/);
    expect(await raw("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")).toMatch(
      /content-type: text\/plain; version=0\.0\.4/,
    );
    expect((await ask("POST", "/readyz")).status).toBe(404);
    expect(stage.errors).toEqual([]);
  });

  it("POST /v1/log-level changes how much is logged; what is no level changes nothing", async () => {
    await start();
    expect((await ask("GET", "/v1/log-level")).json).toEqual({ schema: 1, level: "info" });
    expect((await ask("POST", "/v1/log-level", '{"level":"debug"}')).json).toEqual({
      schema: 1,
      level: "debug",
    });
    for (const body of ['{"level":"loud"}', "{}", "null", '"debug"']) {
      const { status, json } = await ask("POST", "/v1/log-level", body);
      expect([status, json.error.code, json.error.message]).toEqual([
        400,
        "BAD_REQUEST",
        expect.stringMatching(/not one of error, warn, info, debug/),
      ]);
    }
    expect(agent.logLevel).toBe("debug");
  });
});
