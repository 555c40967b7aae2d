/** `poplin top` as a process, where nobody looks: blocks of text, and lines of JSON. */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, it } from "vitest";
import { healthyStatus } from "../agent/api/fake-agent.ts";
import { CommandLine } from "./command.ts";

let cli: CommandLine;

beforeEach(() => {
  cli = new CommandLine();
  cli.agent.answer = async () => healthyStatus({ pid: process.pid });
});

afterEach(() => cli.close());

/** A thousand frames each time that somebody asks for all: whoever divides by the time has a rate. */
function traffic(): void {
  const { stats } = cli.agent;
  cli.agent.stats = (choice) => {
    if (choice?.dev === undefined) {
      cli.agent.count("txFrames", cli.agent.counters.get("txFrames") + 1000);
      cli.agent.drop(
        "rx",
        "VXLAN_VNI_NOT_FOUND",
        cli.agent.counters.drops("rx", "VXLAN_VNI_NOT_FOUND") + 100,
      );
    }
    return stats.call(cli.agent, choice);
  };
}

it("prints as many blocks as it was told, with what happened between them", async () => {
  traffic();
  await cli.agent.changeFdb({ op: "add", mac: "02:00:00:00:00:01", dst: "192.0.2.1" });
  await cli.startAgent();
  const { code, stdout, stderr } = await cli.poplin("top -n 2 -d 0.2");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const blocks = stdout.split("\n\npoplin top");
  expect(blocks).toHaveLength(2);
  for (const block of blocks) {
    expect(block).toMatch(/^flannel\.1 +1 +\d\S* +0 .* 1$/m);
    expect(block).toMatch(/rx {2}VXLAN_VNI_NOT_FOUND$/m);
  }
  expect(stdout).not.toContain("\u001b");
  for (const line of stdout.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
});

it("-j is an object a line, with rates", async () => {
  traffic();
  await cli.startAgent();
  const { code, stdout } = await cli.poplin("top -j -n 2 -d 0.1");
  expect(code).toBe(0);
  const lines = stdout.trim().split("\n");
  expect(lines).toHaveLength(2);
  for (const line of lines) {
    const { schema, agent, rates } = JSON.parse(line);
    expect(schema).toBe(1);
    expect(agent).toMatchObject({ pid: process.pid, state: "running" });
    // The time that it says is the time that it has divided by.
    expect(rates.total.tx.packets * rates.seconds).toBeCloseTo(1000, 3);
    expect(rates.total.rx.drops.VXLAN_VNI_NOT_FOUND * rates.seconds).toBeCloseTo(100, 3);
    expect(rates.devices).toMatchObject([{ dev: "flannel.1", vni: 1, fdb: 0 }]);
  }
});

it("says that the agent is gone, and goes on when it is back", async () => {
  await cli.startAgent();
  const child = cli.start(["top", "-j", "-d", "0.1"]);
  const lines = createInterface(child.stdout!)[Symbol.asyncIterator]();
  const until = async (wanted: (line: Record<string, unknown>) => boolean): Promise<void> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error("it has ended");
      if (wanted(JSON.parse(value))) return;
    }
  };
  await until(({ rates }) => rates !== null);
  await cli.stopAgent();
  await until(({ error }) => (error as { code?: string } | undefined)?.code === "AGENT_NOT_RUNNING");
  // The next one is another process.
  cli.agent.answer = async () => healthyStatus({ pid: process.ppid });
  await cli.startAgent();
  await until(({ rates }) => rates === null);
  await until(({ rates }) => rates !== null && rates !== undefined);
  child.kill();
  expect(await once(child, "close")).toEqual([null, "SIGTERM"]);
});

it("its exit code is that of the last look", async () => {
  await cli.startAgent();
  const child = cli.start(["top", "-n", "10", "-d", "0.2"]);
  let text = "";
  child.stdout!.setEncoding("utf8").on("data", (more: string) => {
    text += more;
    void cli.stopAgent();
  });
  const [code] = await once(child, "close");
  // On a machine that is busy enough the agent may end after the last look.
  expect(code).toBe(text.trimEnd().split("\n\n").at(-1)!.startsWith("no answer since") ? 3 : 0);
});

it("without an agent it fails as every command does", async () => {
  const { code, stderr } = await cli.poplin("top");
  expect(code).toBe(3);
  expect(stderr).toContain("→ start one with");
});

it.each([
  ["-d 0", "--delay"],
  ["-d soon", "--delay"],
  ["-n 0", "--count"],
  ["flannel.1", 'unknown word "flannel.1"'],
  ["dev flannel.9", "there are: flannel.1"],
])("2 for `poplin top %s`", async (args, hint) => {
  await cli.startAgent();
  const { code, stderr } = await cli.poplin(`top ${args}`);
  expect(code).toBe(2);
  expect(stderr).toContain(hint);
});
