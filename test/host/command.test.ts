/** Programs run as children: what comes back, and what is said when they cannot be run. */
import { expect, it } from "vitest";
import { runCommand } from "../../src/host/command.ts";

const MISSING = { why: "without it nothing works", remedy: "install it" };

it("what a program prints and how it ended comes back, whatever its status", async () => {
  const script = "cat; echo wrong >&2; exit 3";
  expect(await runCommand("sh", ["-c", script], MISSING, "in\n")).toEqual({
    status: 3,
    stdout: "in\n",
    stderr: "wrong\n",
  });
});

it("a program that does not read its input, however long, is no error", async () => {
  expect(await runCommand("true", [], MISSING, "x".repeat(1 << 20))).toMatchObject({ status: 0 });
});

it("one that was killed has a status as well", async () => {
  expect(await runCommand("sh", ["-c", "kill -9 $$"], MISSING)).toMatchObject({ status: 255 });
});

it("messages are those of the locale C", async () => {
  const { stdout } = await runCommand("sh", ["-c", "echo $LC_ALL"], MISSING);
  expect(stdout).toBe("C\n");
});

it("a program that is not there is named, with what it is for and what to do", async () => {
  await expect(runCommand("poplin-no-such-program", [], MISSING)).rejects.toMatchObject({
    code: "HOST_IP_MISSING",
    message: "the command `poplin-no-such-program` is not there, and without it nothing works",
    remedy: "install it",
  });
});

it("one that may not be run says so", async () => {
  await expect(runCommand("/", [], MISSING)).rejects.toMatchObject({
    code: "HOST_IP_FAILED",
    message: expect.stringMatching(/^`\/` could not be started: /),
  });
});
