/** The agent as a service: what machines ask it for, and what it tells systemd. More of it: `service.full.test.ts`. */
import { once } from "node:events";
import { afterEach, expect, it } from "vitest";
import { DEVICE } from "../../src/lab/node.ts";
import { describeWith, lab, tool } from "../helpers/needs.ts";
import { until } from "./agents.ts";
import { type Answer, ask } from "./pages.ts";
import { READY, ServiceStage, values } from "./service-stage.ts";

let stage: ServiceStage;
afterEach(() => stage.destroy());

describeWith([lab()], "a running agent", () => {
  it("is ready when its own frame came back, which nobody sees; and not while its device is made anew", async () => {
    stage = new ServiceStage({ healthAddress: "127.0.0.1:9472" });
    const { a } = stage;
    await stage.cluster.startAll();
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
    expect(values(await stage.metrics(), "poplin_device_rebuilds_total")).toEqual({
      "": 1,
    });
  });
});

describeWith([lab(), tool("python3")], "an agent under systemd", () => {
  it("says when it is ready, that it lives, that it reloads, and that it ends", async () => {
    stage = new ServiceStage();
    const { a } = stage;
    await stage.prepare();
    const { agent, systemd } = await stage.spawnHeard();
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
