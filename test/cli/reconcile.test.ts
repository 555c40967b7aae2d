/** `poplin reconcile` as a process. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CommandLine } from "./command.ts";

let cli: CommandLine;

beforeEach(() => {
  cli = new CommandLine();
});

afterEach(() => cli.close());

describe("poplin reconcile", () => {
  it("says how many rows were changed; with --dry-run the steps, and exit code 1", async () => {
    cli.agent.steps = [
      "flannel.1: link set up",
      "flannel.1: neigh replace 10.244.2.0 lladdr aa:bb:cc:00:00:03",
    ];
    await cli.startAgent();
    const dry = await cli.poplin("reconcile --dry-run");
    expect(dry).toEqual({ code: 1, stdout: `${cli.agent.steps.join("\n")}\n`, stderr: "" });
    const json = await cli.poplin("reconcile --dry-run -j");
    expect([json.code, JSON.parse(json.stdout)]).toEqual([1, { steps: cli.agent.steps }]);
    expect(await cli.poplin("reconcile")).toEqual({ code: 0, stdout: "2 rows changed\n", stderr: "" });
    expect(await cli.poplin("reconcile")).toEqual({
      code: 0,
      stdout: "no row had to be changed\n",
      stderr: "",
    });
    expect(JSON.parse((await cli.poplin("-j reconcile")).stdout)).toEqual({ changed: 0 });
    const nothing = await cli.poplin("reconcile --dry-run");
    expect(nothing).toEqual({ code: 0, stdout: "everything is in place\n", stderr: "" });
  });
});
