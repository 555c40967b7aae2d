/** A take-over in which one of the two agents is killed, at every step: the other one forwards, or the next start works. */
import { existsSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { Cluster } from "../../../src/lab/cluster.ts";
import type { PoplinNode } from "../../../src/lab/poplin-node.ts";
import { describeFull, describeWith, lab, tool } from "../../helpers/needs.ts";
import { rowsFor, rowsOf, until } from "../agents.ts";
import { Pinger } from "../traffic/ping.ts";
import { Relay, type Step } from "./relay.ts";
import { launch } from "./successor.ts";

let cluster: Cluster | undefined;
let relay: Relay | undefined;
afterEach(() => {
  relay?.close();
  relay = undefined;
  cluster?.destroy();
});

async function start(): Promise<{ a: PoplinNode; ping: Pinger }> {
  cluster = await Cluster.start({
    nodes: [
      { name: "node-a", kind: "poplin" },
      { name: "node-b", kind: "kernel" },
    ],
  });
  const a = cluster.poplin("node-a");
  const ping = new Pinger(a.pod, "10.244.2.2", { interval: 0.005 });
  await ping.next();
  return { a, ping };
}

async function kill(pid: number): Promise<void> {
  process.kill(pid, "SIGKILL");
  await until("its end", () => !existsSync(`/proc/${pid}`));
}

const ALL: readonly Step[] = ["hello", "accepted", "prepared", "state", "running"];
/** All of them take half a minute: where that is too long, the one at which neither forwards. */
const STEPS = process.env.POPLIN_FULL === "1" ? ALL : (["state"] as const);

describeWith([lab(), tool("ping")], "when the new agent is killed", () => {
  // "running": it has said so, and the old one has not heard it.
  it.each(STEPS)(
    "before its or the other's `%s` has arrived, the old one goes on, and loses nothing",
    async (step) => {
      const { a, ping } = await start();
      const rows = await rowsOf(a.host);
      const { pid } = a;
      const killed = new Promise<void>((resolve) => {
        relay = new Relay(a.socket, async (message) => {
          if (message !== step) return true;
          await kill(successor.pid);
          resolve();
          return false;
        });
      });
      const successor = launch(a);
      await killed;
      expect(await successor.ended).toBe("SIGKILL");
      relay!.close();
      relay = undefined;
      await until("the end of the conversation", () => /wanted to take over, and has not/.test(a.log()));
      await ping.next();
      expect((await a.status()).pid).toBe(pid);
      expect(await rowsOf(a.host)).toEqual(rows);
      // And the next one can.
      expect(await a.takeOver()).toBe(0);
      expect((await a.status()).state).toBe("running");
      const { lost, duplicates } = await ping.stop();
      // A packet that the new one had read when it was killed is gone with it.
      if (step !== "running") expect(lost).toEqual([]);
      expect(duplicates).toBe(0);
    },
  );
});

describeWith([lab(), tool("ping")], "when the old agent is killed", () => {
  it.each(STEPS)(
    "before its or the other's `%s` has arrived, the new one starts, and forwards",
    async (step) => {
      const { a, ping } = await start();
      const killed = new Promise<void>((resolve) => {
        relay = new Relay(a.socket, async (message) => {
          if (message !== step) return true;
          await kill(a.pid);
          resolve();
          return false;
        });
      });
      const successor = launch(a);
      await killed;
      await ping.firstSince(Date.now());
      await until("its start", async () => (await a.status().catch(() => null))?.pid === successor.pid);
      const status = await a.status();
      expect([status.state, status.health]).toEqual(["running", []]);
      expect(await rowsOf(a.host)).toEqual(rowsFor(a, [cluster!.node("node-b").plan]));
      await ping.stop();
      process.kill(successor.pid, "SIGTERM");
      expect(await successor.ended).toBe(0);
    },
  );
});

describeFull([lab(), tool("ping")], "when the new agent says nothing any more, and lives", () => {
  it("the old one forwards again after five seconds, and the new one ends", async () => {
    const { a, ping } = await start();
    const { pid } = a;
    relay = new Relay(a.socket, async (message) => {
      if (message !== "state") return true;
      await until("the old one's patience", () => /it said nothing for 5 seconds/.test(a.log()));
      return false;
    });
    const successor = launch(a);
    expect(await successor.ended).toBe(1);
    expect(successor.output()).toMatch(/an agent is already running: pid \d+/);
    await ping.firstSince(Date.now());
    expect(await a.status()).toMatchObject({ pid, state: "running" });
    await ping.stop();
  });
});

describeFull([lab(), tool("ping")], "when both are killed", () => {
  it.each(STEPS)("before `%s` has arrived, the next start forwards", async (step) => {
    const { a, ping } = await start();
    const killed = new Promise<void>((resolve) => {
      relay = new Relay(a.socket, async (message) => {
        if (message !== step) return true;
        await Promise.all([kill(a.pid), kill(successor.pid)]);
        resolve();
        return false;
      });
    });
    const successor = launch(a);
    await killed;
    await a.stop("SIGKILL");
    const since = Date.now();
    await a.startAgent();
    await ping.firstSince(since);
    expect(await rowsOf(a.host)).toEqual(rowsFor(a, [cluster!.node("node-b").plan]));
    await ping.stop();
  });
});
