/**
 * The agent as a service: what machines ask it for, what it tells systemd, and a log that nobody reads.
 *
 *   node-a (poplin, under test), node-b (kernel VXLAN), each with a pod
 */
import type { ChildProcess } from "node:child_process";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync, readFileSync, readSync, writeFileSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { POPLIN } from "../../src/lab/agent-process.ts";
import { Cluster } from "../../src/lab/cluster.ts";
import { DEVICE, type LabNode } from "../../src/lab/node.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { type Family, readExposition } from "../agent/metrics/exposition.ts";
import { Listener } from "../agent/systemd/listener.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { reload, until } from "./agents.ts";
import { type Answer, ask } from "./pages.ts";
import { Pinger } from "./traffic/ping.ts";

const READY: Answer = { status: 200, text: "poplin is ready" };

let cluster: Cluster | undefined;
const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  cluster?.destroy();
});

function build(config: Record<string, unknown> = {}): { a: PoplinNode; b: LabNode } {
  cluster = Cluster.build({
    nodes: [
      { name: "node-a", kind: "poplin", config },
      { name: "node-b", kind: "kernel" },
    ],
  });
  return { a: cluster.poplin("node-a"), b: cluster.node("node-b") };
}

/** Starts an agent of the test's own, with its standard error on what Node calls a pipe, which is a socket, or as given. */
function spawnAgent(
  a: PoplinNode,
  env: NodeJS.ProcessEnv = {},
  stderr: "pipe" | number = "pipe",
): ChildProcess {
  const child = a.host.spawn(process.execPath, [POPLIN, "agent", "--config", a.configFile], {
    stdio: ["ignore", "ignore", stderr],
    env: { PATH: process.env.PATH, ...env },
  });
  open.push({ close: () => child.kill("SIGKILL") });
  return child;
}

function values(families: ReadonlyMap<string, Family>, name: string): Record<string, number> {
  const series = families.get(name)?.series ?? [];
  return Object.fromEntries(series.map(({ labels, value }) => [Object.values(labels).join(" "), value]));
}

describeWith([lab(), tool("ping")], "a running agent", () => {
  it("is ready when its own frame came back, which nobody sees; and not while its device is made anew", async () => {
    const { a } = build({ healthAddress: "127.0.0.1:9472" });
    await cluster!.startAll();
    expect(await ask(a.socket, "/readyz")).toEqual(READY);
    expect(await ask(a.socket, "/livez")).toEqual({ status: 200, text: "alive" });
    const pages = ["healthz", "livez", "readyz", "metrics", "v1/status"];
    const script = `for (const page of ${JSON.stringify(pages)})
      console.log((await fetch("http://127.0.0.1:9472/" + page)).status);`;
    const tcp = await a.host.exec(process.execPath, ["--input-type=module", "-e", script]);
    expect(tcp.stdout.trim().split("\n")).toEqual(["200", "200", "200", "200", "404"]);
    // Neither a counter nor a row is the probe's.
    const rows = await a.client.fdb();
    const before = await a.client.stats();
    for (let i = 0; i < 20; i++) await ask(a.socket, "/readyz");
    expect(await a.client.stats()).toEqual(before);
    expect(await a.client.fdb()).toEqual(rows);

    const seen: Answer[] = [];
    a.host.ip(`link del ${DEVICE}`);
    await until("it is ready again", async () => {
      seen.push(await ask(a.socket, "/readyz"));
      return seen.some(({ status }) => status === 503) && seen.at(-1)!.status === 200;
    });
    const texts = new Set(seen.filter(({ status }) => status === 503).map(({ text }) => text));
    expect([...texts].join("\n")).toMatch(
      /^poplin is not ready\n(flannel\.1 forwards nothing|the dataplane)/,
    );
    expect(
      values(readExposition((await ask(a.socket, "/metrics")).text), "poplin_device_rebuilds_total"),
    ).toEqual({
      "": 1,
    });
  });

  it("has metrics that are true, by a strict reader of Prometheus' format", async () => {
    const { a, b } = build();
    await cluster!.startAll();
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
    expect(
      values(readExposition((await ask(a.socket, "/metrics")).text), "poplin_event_loop_lag_seconds"),
    ).toEqual({
      p50: expect.any(Number),
      p99: expect.any(Number),
      max: expect.any(Number),
    });
  });

  it("changes how much it logs while it runs, until its next reload", async () => {
    const { a } = build();
    await cluster!.startAll();
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
    const { a, b } = build({ logFormat: "json" });
    await b.start(cluster!.peersOf(b));
    a.setPeers(cluster!.peersOf(a));
    const good = readFileSync(a.configFile, "utf8");
    const agent = spawnAgent(a);
    // A stream with nobody listening reads ahead until its own buffer is full, and then no more.
    await until("it forwards", async () => (await ask(a.socket, "/readyz")).status === 200);
    const ping = new Pinger(a.pod, "10.244.2.2");
    // Each refused reload is one long event; together they are more than pipe and buffer take.
    const mistakes = Array.from({ length: 200 }, (_, i) => `noSuchSetting${i}: ${"x".repeat(40)}`).join("\n");
    writeFileSync(a.configFile, `${good}\n${mistakes}\n`);
    const lost = async (): Promise<number> =>
      values(readExposition((await ask(a.socket, "/metrics")).text), "poplin_log_lost_lines_total")[""]!;
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
    const { a, b } = build();
    await b.start(cluster!.peersOf(b));
    a.setPeers(cluster!.peersOf(a));
    const path = `${a.socket}.log`;
    spawnSync("mkfifo", [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(path, constants.O_WRONLY);
    const agent = spawnAgent(a, {}, writer);
    closeSync(writer);
    open.push({ close: () => closeSync(reader) });
    await until("it forwards", async () => (await ask(a.socket, "/readyz")).status === 200);
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

describeWith([lab(), tool("python3")], "an agent under systemd", () => {
  it("says when it is ready, that it lives, that it reloads, and that it ends", async () => {
    const { a, b } = build();
    await b.start(cluster!.peersOf(b));
    a.setPeers(cluster!.peersOf(a));
    // By path: an abstract name belongs to a network namespace, and the agent is in another.
    const name = `${a.socket}.notify`;
    const systemd = await Listener.open(name);
    open.push(systemd);
    const agent = spawnAgent(a, { NOTIFY_SOCKET: name, WATCHDOG_USEC: "400000" });
    await until("READY=1", () => systemd.lines.includes("READY=1"));
    expect(await ask(a.socket, "/readyz")).toEqual(READY);
    await until("STATUS=forwards", () => systemd.lines.includes("STATUS=forwards"));
    await until(
      "the watchdog is fed",
      () => systemd.lines.filter((line) => line === "WATCHDOG=1").length >= 3,
    );
    systemd.heard.length = 0;
    agent.kill("SIGHUP");
    await until("READY=1 again", () => systemd.lines.includes("READY=1"));
    expect(systemd.lines.filter((line) => /^(RELOADING|READY)=/.test(line))).toEqual([
      "RELOADING=1",
      "READY=1",
    ]);
    agent.kill("SIGTERM");
    await once(agent, "exit");
    await until("STOPPING=1", () => systemd.lines.includes("STOPPING=1"));
    const end = systemd.lines.slice(systemd.lines.indexOf("STOPPING=1"));
    expect(end).toEqual(["STOPPING=1", "STATUS=is about to end"]);
  });
});

describeWith([lab(), tool("promtool")], "metrics of a running agent", () => {
  it("are what promtool wants them to be", async () => {
    const { a } = build();
    await cluster!.startAll();
    const { text } = await ask(a.socket, "/metrics");
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
      input: text,
      encoding: "utf8",
    });
    expect([status, stdout, stderr]).toEqual([0, "", ""]);
  });
});
