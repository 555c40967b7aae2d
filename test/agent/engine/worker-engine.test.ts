import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { describeWith, shim } from "../../helpers/needs.ts";

const script = fileURLToPath(new URL("./exit.mjs", import.meta.url));

/** Runs the script; a process that does not end is killed after 20 seconds, and has no exit code. */
function run(how: string): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [script, how], {
    encoding: "utf8",
    timeout: 20_000,
    killSignal: "SIGKILL",
  });
}

describeWith([shim()], "a dataplane on a worker thread that sleeps in poll", () => {
  it("answers, and stops when it is told", () => {
    expect(run("stop")).toMatchObject({ status: 0, stdout: "[]\nstopped\n" });
  });

  it("carries a frame of its own, which stands in no counter, also not for a moment", () => {
    expect(run("probe")).toMatchObject({ status: 0, stdout: '[]\n[["null"],["0 0 0"]]\n' });
  });

  it("does not keep a process from ending after an error that nobody caught", () => {
    const { status, stderr } = run("throw");
    expect(stderr).toContain("nobody catches this");
    expect(status).toBe(1);
  });

  it("does not keep a process from exiting", () => {
    expect(run("exit").status).toBe(7);
  });
});
