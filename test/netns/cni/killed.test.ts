/** Plugins that are killed half way, at whatever moment: the DEL that every runtime owes them leaves nothing. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import type { Host } from "../../../src/lab/host.ts";
import {
  cniExecutable,
  cniPlugins,
  describeFull,
  describeWith,
  namespaces,
  tool,
} from "../../helpers/needs.ts";
import { until } from "../agents.ts";
import { type CniStage, expectState, mapped, settledStage, WAYS } from "./stage.ts";

let stage: CniStage | undefined;
afterEach(() => stage?.destroy());

const NEEDS = [namespaces(), cniPlugins(), tool("iptables"), tool("nft"), cniExecutable()];

/**
 * Ends who has called it, at a command; itself it goes on, after a while that a DEL would be done in. Without the
 * runtime's pipe, for whose end a runtime may wait.
 */
const PARENT = "kill -KILL $PPID";
const GRANDPARENT = `kill -KILL $(ps -o ppid= -p $PPID) $PPID`;
const at = (command: string, kill: string): string =>
  `if [ "$CNI_COMMAND" = ${command} ]; then exec 2> /dev/null; ${kill}; sleep 0.4; fi\nexec $REAL`;

describeWith([...NEEDS, tool("ps")], "a CNI plugin that is killed at ADD", () => {
  it.each([
    ["flannel when it has called bridge", "bridge", PARENT],
    ["bridge when it has called host-local", "host-local", PARENT],
    ["both", "host-local", GRANDPARENT],
  ])("%s, and what it has called goes on", async (_what, type, kill) => {
    stage = await settledStage("plugin");
    const [pod] = stage.addPods(1) as [Host];
    const before = await stage.state();
    stage.wrap(type, at("ADD", kill));
    // The runtime calls DEL at once.
    await expect(stage.cni.add(pod)).rejects.toThrow(/killed|ended by SIGKILL/);
    await until("all have ended", () => working(pod).length === 0);
    await expectState(stage, before);
    stage.unwrap(type);
    await stage.cni.add(pod);
    await stage.cni.check(pod);
  });
});

describeFull([...NEEDS, tool("ps")], "a CNI plugin that is killed at DEL", () => {
  it.each([
    ["flannel when it has called bridge", "bridge", PARENT],
    ["bridge when it has called host-local", "host-local", PARENT],
  ])("%s; the next DEL does the rest", async (_what, type, kill) => {
    stage = await settledStage("plugin");
    const [pod] = stage.addPods(1) as [Host];
    const before = await stage.state();
    await stage.cni.add(pod, { capabilities: mapped(8080) });
    stage.wrap(type, at("DEL", kill));
    await expect(stage.cni.del(pod)).rejects.toThrow(/killed|ended by SIGKILL/);
    stage.unwrap(type);
    await stage.cni.del(pod);
    await until("all have ended", () => working(pod).length === 0);
    await expectState(stage, before);
  });
});

/** Who is killed: what the runtime has started, or all that works for the pod. */
const VICTIMS = ["the first", "all"] as const;
/** Milliseconds after the start of an ADD, of which one takes some 150. */
const MOMENTS = [0, 10, 20, 30, 40, 50, 60, 75, 90, 110, 130, 150, 180];

describeFull(NEEDS, "a CNI plugin that is killed at any moment", () => {
  it.each(WAYS.flatMap((way) => VICTIMS.map((victims) => [way, victims] as const)))(
    "by way of the %s, %s",
    async (way, victims) => {
      stage = await settledStage(way);
      const [pod] = stage.addPods(1) as [Host];
      const before = await stage.state();
      let failed = 0;
      for (const moment of MOMENTS) {
        const adding = stage.cni.add(pod, { capabilities: mapped(8080), undo: false }).then(
          () => {},
          () => failed++,
        );
        await sleep(moment);
        const pids = working(pod);
        for (const pid of victims === "all" ? pids.reverse() : pids.slice(0, 1)) kill(pid);
        await adding;
        // Bridge alone knows nothing of orphans: a runtime that has killed it has to wait for them.
        if (way === "conflist") await until("all have ended", () => working(pod).length === 0);
        await stage.cni.del(pod, { capabilities: mapped(8080) });
        await until("all have ended", () => working(pod).length === 0);
        await expectState(stage, before).catch((error) => {
          throw new Error(`killed after ${moment} ms: ${error.message}`, { cause: error });
        });
      }
      expect(failed).toBeGreaterThan(MOMENTS.length / 3);
    },
    300_000,
  );
});

/** Pids of what works for a pod's attachment, the oldest first. */
function working(pod: Host): number[] {
  const mark = `CNI_CONTAINERID=${pod.namespace}`;
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids
    .filter((pid) => environment(pid).includes(mark))
    .map(Number)
    .sort((a, b) => a - b);
}

function environment(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}
