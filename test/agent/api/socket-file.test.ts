/** The API's socket: who may open it, when it is made anew, and when it is not. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ApiClient } from "../../../src/agent/api/client.ts";
import { ApiStage } from "./api-stage.ts";

let stage: ApiStage;

beforeEach(() => {
  stage = new ApiStage();
});

afterEach(() => stage.close());

describe("the socket", () => {
  it("has mode 0600 from the moment it exists, whatever the umask", async () => {
    const umask = process.umask(0);
    const seen: number[] = [];
    const look = () => {
      if (existsSync(stage.path)) seen.push(statSync(stage.path).mode & 0o7777);
    };
    const timer = setInterval(look, 0);
    try {
      await stage.start();
      look();
    } finally {
      clearInterval(timer);
      process.umask(umask);
    }
    expect(seen.length).toBeGreaterThan(0);
    expect(new Set(seen)).toEqual(new Set([0o600]));
  });

  it("gives the process its umask back", async () => {
    const before = process.umask();
    await stage.start();
    expect(process.umask()).toBe(before);
  });

  it("goes away with the server, which may be closed twice", async () => {
    const server = await stage.start();
    await Promise.all([server.close(), server.close()]);
    expect(existsSync(stage.path)).toBe(false);
  });

  it("replaces the one that a killed agent left", async () => {
    const holder = spawn(process.execPath, [
      "-e",
      "require('fs').mkdirSync(require('path').dirname(process.argv[1]),{recursive:true});" +
        "require('net').createServer().listen(process.argv[1],()=>console.log('up'))",
      stage.path,
    ]);
    await once(holder.stdout, "data");
    holder.kill("SIGKILL");
    await once(holder, "exit");
    expect(existsSync(stage.path)).toBe(true);
    await stage.start();
    expect((await new ApiClient(stage.path).status()).pid).toBe(4711);
  });

  it("is not taken from a live agent, whose pid it names", async () => {
    await stage.start();
    await expect(stage.start()).rejects.toMatchObject({
      code: "AGENT_RUNNING",
      message: expect.stringContaining("pid 4711"),
      remedy: expect.stringContaining("poplin status"),
    });
    expect((await new ApiClient(stage.path).status()).pid).toBe(4711);
  });

  it("is not taken from a live process that does not answer", async () => {
    stage.path = join(stage.folder, "mute.sock");
    const mute = createServer(() => {}).listen(stage.path);
    await once(mute, "listening");
    const clients: { destroy(): void }[] = [];
    mute.on("connection", (socket) => clients.push(socket));
    try {
      await expect(stage.start()).rejects.toMatchObject({
        code: "AGENT_RUNNING",
        message: expect.stringContaining("does not answer"),
      });
    } finally {
      for (const client of clients) client.destroy();
      mute.close();
    }
  });

  it("does not overwrite a file that is no socket", async () => {
    stage.path = join(stage.folder, "notes.txt");
    writeFileSync(stage.path, "keep me");
    await expect(stage.start()).rejects.toMatchObject({
      code: "SOCKET_PATH",
      message: expect.stringContaining("no socket"),
    });
    expect(statSync(stage.path).size).toBe(7);
  });

  it("refuses a path that the kernel would cut off", async () => {
    stage.path = join(stage.folder, "x".repeat(108));
    await expect(stage.start()).rejects.toMatchObject({
      code: "SOCKET_PATH",
      message: expect.stringContaining("107"),
    });
  });

  it("refuses a path below a file", async () => {
    writeFileSync(join(stage.folder, "file"), "");
    stage.path = join(stage.folder, "file", "agent.sock");
    await expect(stage.start()).rejects.toMatchObject({ code: "SOCKET_PATH" });
  });
});
