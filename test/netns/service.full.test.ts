/** The agent as a service: metrics that are true, and a log that nobody reads. */
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { DEVICE } from "../../src/lab/node.ts";
import { readExposition } from "../agent/metrics/exposition.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { reload, until } from "./agents.ts";
import { ask } from "./pages.ts";
import { READY, ServiceStage, values } from "./service-stage.ts";
import { Pinger } from "./traffic/ping.ts";

let stage: ServiceStage;
afterEach(() => stage.destroy());

describeWith([lab(), tool("ping")], "a running agent", () => {
  it("has metrics that are true, by a strict reader of Prometheus' format", async () => {
    stage = new ServiceStage();
    const { a, b } = stage;
    await stage.cluster.startAll();
    const ping = new Pinger(a.pod, "10.244.2.2");
    await until("answers", () => ping.replies.length >= 20);
    await ping.kill();
    // From an address that is no VTEP's.
    const stranger = `import dgram from "node:dgram";
      const socket = dgram.createSocket("udp4");
      await new Promise((sent) => socket.send(Buffer.from("0800000000000100", "hex"), 8472, "${a.vtepAddress()}", sent));
      socket.close();`;
    await b.host.exec(process.execPath, ["--input-type=module", "-e", stranger]);
    const drop = await until("a drop", async () => {
      const { drops } = await a.client.stats();
      return Object.entries(drops.rx)[0];
    });
    const stats = await a.client.stats();
    const { status, text } = await ask(a.socket, "/metrics");
    expect(status).toBe(200);
    const families = readExposition(text);
    expect(values(families, "poplin_frames_total")).toEqual({
      "1 flannel.1 tx": stats.txFrames,
      "1 flannel.1 rx": stats.rxFrames,
    });
    expect(values(families, "poplin_drops_total")).toMatchObject({
      [`rx ${drop[0]}`]: drop[1],
      "tx FULL_RING": 0,
    });
    expect(values(families, "poplin_fdb_rows")).toEqual({
      "1 flannel.1 static": 1,
      "1 flannel.1 learned": 0,
    });
    expect(values(families, "poplin_ready")).toEqual({ "": 1 });
    // What follows is asked once more, when there is something to compare with.
    expect(values(await stage.metrics(), "poplin_event_loop_lag_seconds")).toEqual({
      p50: expect.any(Number),
      p99: expect.any(Number),
      max: expect.any(Number),
    });
  });

  it("has the times of real batches, what poplin's own part of them is, and their packets", async () => {
    stage = new ServiceStage();
    const { a } = stage;
    await stage.cluster.startAll();
    const lines = (families: Awaited<ReturnType<ServiceStage["metrics"]>>, direction: string) => {
      const all = families.get("poplin_batch_duration_seconds")!.series;
      const line = (end: string) =>
        all.find((one) => one.name.endsWith(end) && one.labels.direction === direction);
      return { sum: line("_sum")!.value, count: line("_count")!.value };
    };
    const families = await until("both directions are timed a few times", async () => {
      await a.pod.exec("ping", ["-q", "-A", "-c", "300", "10.244.2.2"]);
      const asked = await stage.metrics();
      return ["tx", "rx"].every((direction) => lines(asked, direction).count >= 5) && asked;
    });
    for (const direction of ["tx", "rx"]) {
      const { sum } = lines(families, direction);
      const of = (name: string) => values(families, `poplin_timed_${name}_total`)[direction]!;
      expect(of("packets")).toBeGreaterThan(0);
      expect(of("packets")).toBeLessThan(
        values(families, "poplin_frames_total")[`1 flannel.1 ${direction}`]!,
      );
      expect(of("processing_seconds")).toBeGreaterThan(0);
      expect(sum).toBeGreaterThan(of("processing_seconds"));
    }
  });

  it("changes how much it logs while it runs, until its next reload", async () => {
    stage = new ServiceStage();
    const { a } = stage;
    await stage.cluster.startAll();
    expect((await a.poplin(["log-level"])).stdout).toBe("info\n");
    expect((await a.poplin(["log-level", "debug", "-j"])).stdout).toBe('{\n  "level": "debug"\n}\n');
    a.host.ip(`link set ${DEVICE} mtu 1300`);
    await until("a debug line", () => / debug /.test(a.log()));
    const wrong = await a.poplin(["log-level", "loud"], { check: false });
    expect([wrong.status, wrong.stderr]).toEqual([
      2,
      expect.stringMatching(/"loud" is no level\n.*error, warn, info, debug/),
    ]);
    await reload(a);
    expect((await a.poplin(["log-level"])).stdout).toBe("info\n");
  });

  it("goes on forwarding and answering when nobody reads its log, and says how much of it is lost", async () => {
    stage = new ServiceStage({ logFormat: "json" });
    const { a } = stage;
    await stage.prepare();
    const good = readFileSync(a.configFile, "utf8");
    const agent = stage.spawn();
    // A stream with nobody listening reads ahead until its own buffer is full, and then no more.
    await until("it forwards", () => stage.isReady());
    const ping = new Pinger(a.pod, "10.244.2.2");
    // Each refused reload is one long event; together they are more than pipe and buffer take.
    const mistakes = Array.from({ length: 200 }, (_, i) => `noSuchSetting${i}: ${"x".repeat(40)}`).join("\n");
    writeFileSync(a.configFile, `${good}\n${mistakes}\n`);
    const lost = async (): Promise<number> =>
      values(await stage.metrics(), "poplin_log_lost_lines_total")[""]!;
    const reloads = await until(
      "lines are lost",
      async () => {
        const before = (await a.status()).config.lastReload?.at;
        agent.kill("SIGHUP");
        await until("a reload", async () => (await a.status()).config.lastReload?.at !== before);
        return (await lost()) >= 3 && (await a.status()).config.lastReload;
      },
      60_000,
    );
    expect(reloads).toMatchObject({ ok: false });
    const replies = ping.replies.length;
    await ping.next();
    expect(await ask(a.socket, "/readyz")).toEqual(READY);
    const { lost: unanswered } = await ping.stop();
    expect(unanswered).toEqual([]);
    expect(replies).toBeGreaterThan(0);

    // Now somebody reads: whole events in their order, and how many are missing.
    const missing = await lost();
    let text = "";
    agent.stderr!.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    await until("the gap is told", () => text.includes("LOG_LOST"));
    agent.kill("SIGTERM");
    await once(agent, "close");
    const events = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { level: string; msg: string });
    expect(events.filter(({ msg }) => msg.startsWith("not reloaded")).length).toBeGreaterThan(10);
    expect(events.find(({ msg }) => msg.startsWith("nobody read the log"))).toMatchObject({
      level: "warn",
      msg: `nobody read the log: ${missing} lines are lost`,
    });
    expect(events.at(-1)!.msg).toMatch(/poplin cleanup/);
  });

  it("ends when it is told to, also with its log on a pipe that is full", async () => {
    stage = new ServiceStage();
    const { a } = stage;
    await stage.prepare();
    const path = `${a.socket}.log`;
    spawnSync("mkfifo", [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY);
    const agent = stage.spawn({}, writer);
    closeSync(writer);
    stage.closing(reader, () => closeSync(reader));
    await until("it forwards", () => stage.isReady());
    writeFileSync(a.configFile, `${readFileSync(a.configFile, "utf8")}\n${"x: 1\n".repeat(2000)}`);
    for (let i = 0; i < 8; i++) {
      const before = (await a.status()).config.lastReload?.at;
      agent.kill("SIGHUP");
      await until("a reload", async () => (await a.status()).config.lastReload?.at !== before);
    }
    agent.kill("SIGTERM");
    expect(await once(agent, "exit")).toEqual([0, null]);
    // The pipe has been full: a writer that waits would wait still.
    expect(readSync(reader, Buffer.alloc(1 << 20))).toBeGreaterThan(60_000);
  });
});

describeWith([lab(), tool("promtool")], "metrics of a running agent", () => {
  it("are what promtool wants them to be", async () => {
    stage = new ServiceStage();
    const { a } = stage;
    await stage.cluster.startAll();
    const { text } = await ask(a.socket, "/metrics");
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
      input: text,
      encoding: "utf8",
    });
    expect([status, stdout, stderr]).toEqual([0, "", ""]);
  });
});
