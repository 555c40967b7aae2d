/** A take-over that the running agent begins itself, which systemd can follow: SIGUSR2. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { describeWith, lab, tool } from "../../helpers/needs.ts";
import { until } from "../agents.ts";
import { ServiceStage } from "../service-stage.ts";
import { Pinger } from "../traffic/ping.ts";

let stage: ServiceStage;
afterEach(() => stage.destroy());

describeWith([lab(), tool("ping"), tool("python3")], "an agent that gets SIGUSR2", () => {
  it("starts its successor, tells systemd of it, and ends; the other one feeds the watchdog", async () => {
    stage = new ServiceStage();
    const { a } = stage;
    await stage.prepare();
    const { agent: first, systemd } = await stage.spawnHeard();
    const ping = new Pinger(a.pod, "10.244.2.2", { interval: 0.01 });
    await ping.next();
    const { pid: before } = await a.status();

    first.kill("SIGUSR2");
    expect(await once(first, "exit")).toEqual([0, null]);
    const { pid, state } = await a.status();
    stage.closing(pid, () => process.kill(pid, "SIGKILL"));
    expect([state, pid === before]).toEqual(["running", false]);
    expect(systemd.lines).toContain(`MAINPID=${pid}`);
    systemd.heard.length = 0;
    await until("the watchdog is fed", () => systemd.lines.includes("WATCHDOG=1"));
    const { lost, duplicates } = await ping.stop();
    expect({ lost, duplicates }).toEqual({ lost: [], duplicates: 0 });
  });

  it("goes on where its successor cannot start, says so, and may be told again", async () => {
    stage = new ServiceStage();
    const { a } = stage;
    await stage.prepare();
    const first = stage.spawn();
    let log = "";
    first.stderr!.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
    await until("it forwards", () => stage.isReady());
    const { pid } = await a.status();
    writeFileSync(a.configFile, "noSuchSetting: 1\n");
    first.kill("SIGUSR2");
    await until("a word of it", () => /has ended \(exit code 2\): this one goes on/.test(log));
    expect((await a.status()).pid).toBe(pid);

    stage.a.setPeers(stage.cluster.peersOf(a));
    first.kill("SIGUSR2");
    await once(first, "exit");
    const next = (await a.status()).pid;
    stage.closing(next, () => process.kill(next, "SIGKILL"));
    expect(next).not.toBe(pid);
  });
});
