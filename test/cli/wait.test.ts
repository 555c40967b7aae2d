/** `poplin wait` as a process. */
import { once } from "node:events";
import { chownSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { outputOf } from "../../src/host/output.ts";
import { CommandLine } from "./command.ts";

let cli: CommandLine;

beforeEach(() => {
  cli = new CommandLine();
});

afterEach(() => cli.close());

describe("poplin wait", () => {
  it("ends at once where the agent is ready", async () => {
    await cli.startAgent();
    expect(await cli.poplin("wait --ready")).toEqual({ code: 0, stdout: "the agent is ready\n", stderr: "" });
    expect(JSON.parse((await cli.poplin("wait -j")).stdout)).toEqual({
      ready: true,
      seconds: expect.any(Number),
    });
  });

  it("waits for an agent that is not there yet, and until it is ready", async () => {
    const child = cli.start(["wait", "--ready"]);
    const output = outputOf(child);
    let ended = false;
    const end = once(child, "close").then(([code]) => {
      ended = true;
      return code as number;
    });
    cli.agent.notReady = ["the agent is starting"];
    let asked = 0;
    const ready = cli.agent.ready.bind(cli.agent);
    const twice = new Promise<void>((resolve) => {
      cli.agent.ready = async () => {
        if (++asked === 2) resolve();
        return ready();
      };
    });
    await cli.startAgent();
    await twice;
    expect(ended).toBe(false);
    cli.agent.notReady = [];
    expect([await end, output]).toEqual([0, { stdout: "the agent is ready\n", stderr: "" }]);
  });

  it("exits with 5 when the time is up, and says why", async () => {
    const none = await cli.poplin("wait --timeout 0.2");
    expect([none.code, none.stdout]).toEqual([5, ""]);
    expect(none.stderr).toMatch(
      /^poplin: the agent is not ready after 0\.2 s: no agent is running here: .*\n {2}→ /,
    );
    cli.agent.notReady = ["the lease is not in the store", "subnet.env is not written"];
    await cli.startAgent();
    const late = await cli.poplin("wait --ready -t 0 -j");
    expect([late.code, late.stdout, JSON.parse(late.stderr).error]).toEqual([
      5,
      "",
      expect.objectContaining({
        code: "TIMEOUT",
        message: "the agent is not ready after 0 s: the lease is not in the store; subnet.env is not written",
      }),
    ]);
  });

  it("does not wait for what waiting does not mend", async () => {
    expect((await cli.poplin("wait --timeout soon")).code).toBe(2);
  });

  it.runIf(process.getuid?.() === 0)("nor for a right that somebody has not", async () => {
    await cli.startAgent();
    // Root without its capabilities is a user like others, and can read the command wherever it lies.
    chownSync(cli.socket, 65_534, 65_534);
    const denied = await cli.poplin("wait", { via: ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] });
    expect([denied.code, denied.stderr]).toEqual([4, expect.stringContaining("it is its owner's alone")]);
  });
});
