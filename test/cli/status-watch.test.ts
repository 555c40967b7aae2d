/** `poplin status -w` as a process, where nobody looks: a block each time, or a line of JSON. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterEach, beforeEach, expect, it } from "vitest";
import { outputOf } from "../../src/host/output.ts";
import { healthyStatus } from "../agent/api/fake-agent.ts";
import { until } from "../helpers/until.ts";
import { CommandLine } from "./command.ts";

let cli: CommandLine;

beforeEach(async () => {
  cli = new CommandLine();
  await cli.startAgent();
});

afterEach(() => cli.close());

/** Starts it, with a new uptime in each answer. */
function start(...args: string[]): { child: ChildProcess; output: ReturnType<typeof outputOf> } {
  let uptime = 60;
  cli.agent.answer = async () => healthyStatus({ uptime: uptime++ });
  const child = cli.start(["status", ...args]);
  return { child, output: outputOf(child) };
}

it("shows it at once, and again and again, also while no agent answers and when one is back", async () => {
  const { child, output } = start("--watch", "0.1", "--brief");
  const lines = () => output.stdout.split("\n").slice(0, -1);
  await until("three lines", () => lines().length >= 3);
  for (const line of lines()) expect(line).toMatch(/^ok: running, up 1 minute.*, flannel\.1, /);
  await cli.stopAgent();
  await until("word of its end", () =>
    lines().some((line) => /^no answer since \d\d:\d\d:\d\d, now /.test(line)),
  );
  const before = lines().length;
  await cli.startAgent();
  await until("word of its return", () =>
    lines()
      .slice(before)
      .some((line) => line.startsWith("ok: ")),
  );
  child.kill("SIGTERM");
  expect(await once(child, "close")).toEqual([null, "SIGTERM"]);
  expect(output.stderr).toBe("");
});

it("in full is a block each time, apart from the one before", async () => {
  const { output } = start("-w", "0.1");
  const blocks = () => output.stdout.split(/\n\n(?=poplin )/);
  await until("three blocks", () => blocks().length >= 3);
  for (const block of blocks().slice(0, 2)) expect(block).toMatch(/172\.19\.0\.4/);
});

it("-j is an object a line", async () => {
  const { output } = start("-w", "0.1", "-j");
  await until("three objects", () => output.stdout.split("\n").length > 3);
  const uptimes = output.stdout
    .split("\n")
    .slice(0, 3)
    .map((line) => JSON.parse(line).uptime);
  expect(uptimes).toEqual([60, 61, 62]);
});

it("says what is no number of seconds, and that there is no agent, as without it", async () => {
  expect(await cli.poplin("status --watch soon")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--watch "soon" is no number from 0.1 to 3600'),
  });
  await cli.stopAgent();
  expect(await cli.poplin("status -w 0.1")).toMatchObject({ code: 3, stdout: "" });
});
