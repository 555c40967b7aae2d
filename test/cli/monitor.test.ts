/** `poplin monitor` as a process: what it asks the agent for, what it prints, and how it ends. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { AgentEvent } from "../../src/agent/api/agent-view.ts";
import { outputOf } from "../../src/host/output.ts";
import { CommandLine } from "./command.ts";
import { type Drop, STRANGER } from "./dropped.ts";

const AT = "2026-11-20T00:00:00.000Z";
const MISS: AgentEvent = { type: "l2miss", vni: 1, dev: "flannel.1", mac: "5e:00:00:00:00:02", at: AT };

let cli: CommandLine;

beforeEach(async () => {
  cli = new CommandLine();
  await cli.startAgent();
});

afterEach(() => cli.close());

/** A drop of a packet from one of several. */
function drop(n: number, changes: Partial<Drop> = {}): Drop {
  return { ...STRANGER, remote: { address: `172.19.0.${n}`, port: 8472 }, ...changes };
}

/** Starts it, and waits until the agent tells it what happens. */
async function start(
  ...args: string[]
): Promise<{ child: ChildProcess; output: ReturnType<typeof outputOf> }> {
  const child = cli.start(["monitor", ...args]);
  const output = outputOf(child);
  while (cli.agent.listeners.size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  return { child, output };
}

it("prints drops and misses until Ctrl-C, then what they come to, and that is no failure", async () => {
  const { child, output } = await start();
  expect(cli.agent.topics).toEqual(["misses", "drops"]);
  cli.agent.tell(drop(9));
  cli.agent.tell(MISS);
  while (!output.stdout.includes("l2miss")) await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill("SIGINT");
  expect(await once(child, "close")).toEqual([0, null]);
  expect(output.stdout).toMatch(
    /^\d\d:\d\d:\d\d\.012 rx UNKNOWN_VTEP from 172\.19\.0\.9:8472 vni 1 dev flannel\.1 ICMP .*\n\d\S+ l2miss lladdr 5e:00:00:00:00:02 vni 1 dev flannel\.1\n$/,
  );
  expect(output.stderr).toMatch(
    /^2 events shown, 0 drops only counted\n {2}1 {2}rx UNKNOWN_VTEP {2}the sender is no VTEP/,
  );
});

it("--drops asks for drops, filters leave the rest out, -c ends it, and -j is an object a line", async () => {
  const { child, output } = await start("--drops", "--vni", "7", "-j", "-c", "2");
  expect(cli.agent.topics).toEqual(["drops"]);
  const [mine, other] = [drop(9, { header: { flags: "08000000", vni: 7 } }), drop(10)];
  for (const event of [other, mine, other, mine, mine]) cli.agent.tell(event);
  expect(await once(child, "close")).toEqual([0, null]);
  expect(
    output.stdout
      .trim()
      .split("\n")
      .map((text) => JSON.parse(text)),
  ).toEqual([mine, mine]);
  expect(output.stderr).toBe("");
});

it("says when the agent has ended, after what there was", async () => {
  const { child, output } = await start("--reason", "unknown_vtep");
  expect(cli.agent.topics).toEqual(["drops"]);
  cli.agent.tell(drop(9));
  while (output.stdout === "") await new Promise((resolve) => setTimeout(resolve, 5));
  await cli.stopAgent();
  expect(await once(child, "close")).toEqual([3, null]);
  expect(output.stderr).toMatch(/1 event shown[\s\S]*the agent has ended/);
});

it.each([
  ["--vni 16777216", "16777216 is out of range; write a whole number from 0 to 16777215."],
  ["--mac 5e:00", "write it as aa:bb:cc:dd:ee:ff."],
  ["--reason WEATHER", "The reasons are PKT_TOO_SMALL, VXLAN_INVALID_HDR,"],
  ["-c 0", "0 is out of range"],
])("%s is a mistake that it explains", async (args, words) => {
  const { code, stdout, stderr } = await cli.poplin(`monitor ${args}`);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr.replace(/\s+/g, " ")).toContain(words);
});

it("ends quietly when nobody reads any more", async () => {
  const { child } = await start("-j");
  child.stdout!.destroy();
  for (let n = 0; n < 100; n++) cli.agent.tell(drop(n));
  expect(await once(child, "exit")).toEqual([0, null]);
});
