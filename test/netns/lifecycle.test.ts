/**
 * How agents end and begin again: what stays, what goes, and how soon the overlay is back.
 *
 *   node-a (poplin, under test), node-b and node-c (kernel VXLAN), each with a pod
 */
import { existsSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { Cluster } from "../../src/lab/cluster.ts";
import { DEVICE, type LabNode } from "../../src/lab/node.ts";
import type { PoplinNode } from "../../src/lab/poplin-node.ts";
import { describeWith, lab, optionalPackage, tool } from "../helpers/needs.ts";
import {
  describeTimed,
  hasDevice,
  onIdleMachine,
  reload,
  rowsFor,
  rowsOf,
  type Timed,
  timed,
  until,
} from "./agents.ts";
import { Pinger } from "./traffic/ping.ts";

type Kind = "batch" | "dgram" | "raw";
const KINDS: readonly Kind[] = ["batch", "dgram", "raw"];

/** Milliseconds from the spawn of an agent to the first packet, on an idle machine. */
const LATEST_RESTART = 1000;
const RESTARTS = 3;

let cluster: Cluster | undefined;
afterEach(() => cluster?.destroy());

function build(underlay: Kind, args: readonly string[] = []): { a: PoplinNode; b: LabNode; c: LabNode } {
  cluster = Cluster.build({
    nodes: [
      { name: "node-a", kind: "poplin", underlay, args },
      { name: "node-b", kind: "kernel" },
      { name: "node-c", kind: "kernel" },
    ],
  });
  return { a: cluster.poplin("node-a"), b: cluster.node("node-b"), c: cluster.node("node-c") };
}

async function start(underlay: Kind = "batch", args: readonly string[] = []) {
  const nodes = build(underlay, args);
  await cluster!.startAll();
  return nodes;
}

async function answers(from: LabNode, address: string): Promise<boolean> {
  const words = ["-n", "-c", "1", "-W", "1", address];
  return (await from.pod.exec("ping", words, { check: false })).status === 0;
}

describeWith([lab()], "an agent whose device somebody replaces by the kernel's VXLAN", () => {
  it("does not fight: it ends with exit code 1, and says who has the node now", async () => {
    const { a } = await start();
    const { pid } = a;
    // As flanneld does it when it comes back.
    const lines = [
      `link del ${DEVICE}`,
      `link add ${DEVICE} type vxlan id 1 dev eth0 dstport 8472 nolearning`,
    ];
    await a.host.exec("ip", ["-batch", "-"], { input: `${lines.join("\n")}\n` });
    await until("the agent's end", () => !existsSync(`/proc/${pid}`));
    expect(await a.stop()).toBe(1);
    expect(a.log()).toMatch(/error flannel\.1 is a VXLAN device of the kernel's now: flanneld/);
    expect(a.log()).not.toMatch(/flannel\.1 stays/);
  });
});

describeWith([lab(), tool("ping")], "an agent that is told to end", () => {
  it("SIGTERM leaves the device with its address and rows, and says that it forwards nothing", async () => {
    const { a, b, c } = await start();
    const rows = await rowsOf(a.host);
    expect(rows).toMatchObject(rowsFor(a, [b.plan, c.plan]));
    expect(await answers(a, "10.244.2.2")).toBe(true);

    expect(await a.stop("SIGTERM")).toBe(0);
    expect(await rowsOf(a.host)).toEqual(rows);
    expect(a.log()).toMatch(
      /flannel\.1 stays, with its addresses and rows, and forwards nothing until the next start/,
    );
    expect(a.log()).toMatch(/poplin cleanup/);
    expect(await answers(a, "10.244.2.2")).toBe(false);
    expect(existsSync(a.socket)).toBe(false);
    const status = await a.poplin(["status"], { check: false });
    expect(status.status).toBe(3);
    expect(status.stderr).toMatch(/no agent is running/);
  });

  it("SIGINT does the same; `poplin cleanup` then removes the device with all its rows, once", async () => {
    const { a } = await start();
    const running = await a.poplin(["cleanup", "--config", a.configFile], { check: false });
    expect(running.status).toBe(1);
    expect(running.stderr).toContain(`pid ${a.pid}`);
    expect(await answers(a, "10.244.2.2")).toBe(true);

    expect(await a.stop("SIGINT")).toBe(0);
    expect(await hasDevice(a.host)).toBe(true);
    const { stdout } = await a.poplin(["cleanup", "--config", a.configFile]);
    for (const word of [DEVICE, "10.244.1.0/32", "10.244.2.0/24", "10.244.3.0/24"])
      expect(stdout).toContain(word);
    expect(await hasDevice(a.host)).toBe(false);
    const routes = (await a.host.exec("ip", ["route", "show"])).stdout;
    expect(routes).not.toMatch(/10\.244\.[23]\.0/);
    const again = await a.poplin(["cleanup", "--device", DEVICE]);
    expect(again.stdout).toMatch(/nothing to remove/);
  });

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    it(`--ephemeral: after ${signal} the device is gone, and with it its rows`, async () => {
      const { a } = await start("batch", ["--ephemeral"]);
      expect(await answers(a, "10.244.2.2")).toBe(true);
      expect(await a.stop(signal)).toBe(signal === "SIGTERM" ? 0 : null);
      // The kernel removes it when the last descriptor is closed; of a killed process a moment after its end is seen.
      await until("the end of the device", async () => !(await hasDevice(a.host)), 2000);
      expect((await a.host.exec("ip", ["route", "show"])).stdout).not.toMatch(/10\.244\.[23]\.0/);
    });
  }

  it("ephemeral by a reload, and persistent again by another", async () => {
    const { a } = await start();
    for (const ephemeral of [true, false, true]) {
      a.config = { ...a.config, ephemeral };
      expect((await reload(a)).ok).toBe(true);
    }
    await a.stop("SIGKILL");
    await until("the end of the device", async () => !(await hasDevice(a.host)), 2000);
  });
});

for (const underlay of KINDS) {
  const needs = [
    lab(),
    tool("ping"),
    tool("ss"),
    ...(underlay === "raw" ? [optionalPackage("raw-socket")] : []),
  ];
  describeWith(needs, `an agent that was killed, on the ${underlay} underlay`, () => {
    it("works again within a second of its start, and nothing stale is in the way", async () => {
      const { a, b, c } = await start(underlay);
      const ping = new Pinger(a.pod, "10.244.2.2", { interval: 0.005 });
      await ping.next();
      const times: Timed[] = [];
      do {
        await a.stop("SIGKILL");
        const peers = times.length === 0 ? [b.plan, c.plan] : [b.plan];
        expect(await rowsOf(a.host)).toMatchObject(rowsFor(a, peers));
        expect(existsSync(a.socket)).toBe(true);
        a.setPeers([b.plan]);
        times.push(
          await timed(async () => {
            const spawned = Date.now();
            await a.startAgent();
            return (await ping.firstSince(spawned)) - spawned;
          }),
        );
      } while (times.length < RESTARTS && times.every((time) => onIdleMachine(time) >= LATEST_RESTART));
      console.log(
        `${underlay}: first packet after a SIGKILL and a start: ${times.map(describeTimed).join(", ")}`,
      );
      expect(Math.min(...times.map(onIdleMachine))).toBeLessThan(LATEST_RESTART);

      await ping.stop();
      expect(await rowsOf(a.host)).toMatchObject(rowsFor(a, [b.plan]));
      expect((await a.client.fdb()).map(({ mac }) => mac)).toEqual([b.plan.vtepMac]);
      expect((await a.host.exec("ss", ["-Hlun", "sport = :8472"])).stdout.trim().split("\n")).toHaveLength(1);
      const status = await a.status();
      expect([status.state, status.health]).toEqual(["running", []]);
      // The peer that was removed while nobody looked is a stranger now.
      expect(await answers(c, "10.244.1.2")).toBe(false);
      expect((await a.client.stats()).drops.rx.UNKNOWN_VTEP).toBeGreaterThan(0);
    });

    it("makes its device anew when somebody deletes it: the same MAC, all rows, within a second", async () => {
      const { a, b, c } = await start(underlay);
      const { mac } = (await a.status()).device;
      const ping = new Pinger(a.pod, "10.244.2.2", { interval: 0.005 });
      await ping.next();
      const times: Timed[] = [];
      do {
        times.push(
          await timed(async () => {
            const answered = ping.replies.length;
            const starts = a.log().split("forwarding VNI").length;
            a.host.ip(`link del ${DEVICE}`);
            await until("the new device", () => a.log().split("forwarding VNI").length > starts);
            await ping.next();
            const times = ping.replies.slice(answered - 1).map(({ at }) => at);
            return Math.max(...times.slice(1).map((at, i) => at - times[i]!));
          }),
        );
      } while (times.length < RESTARTS && times.every((time) => onIdleMachine(time) >= LATEST_RESTART));
      console.log(
        `${underlay}: no answers while the device was made anew: ${times.map(describeTimed).join(", ")}`,
      );
      expect(Math.min(...times.map(onIdleMachine))).toBeLessThan(LATEST_RESTART);
      await ping.stop();
      expect(a.log()).toMatch(/warn {2}flannel\.1 is gone .*somebody deleted it; it is made anew/);
      const status = await a.status();
      expect([status.state, status.device.mac]).toEqual(["running", mac]);
      expect(await rowsOf(a.host)).toMatchObject(rowsFor(a, [b.plan, c.plan]));
      expect(await a.stop()).toBe(0);
    });
  });
}
