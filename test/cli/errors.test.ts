/** How errors of every part of the house reach the command line. */
import { describe, expect, it } from "vitest";
import { ConfigError } from "../../src/agent/config/problems.ts";
import { CliError, EXIT, errorJson, exitCodeOf, explain, explainOn } from "../../src/cli/errors.ts";
import { captureSummary } from "../../src/cli/render-capture.ts";
import { HostError } from "../../src/host/ip.ts";
import { TapPermissionError, TunMissingError } from "../../src/io/linux/errors.ts";

const CALL = { code: "EPERM", errno: 1, syscall: "ioctl(TUNSETIFF)" };

describe("exit codes", () => {
  it.each([
    ["its own", new CliError(EXIT.timeout, "late"), 5],
    ["a configuration is usage", new ConfigError([]), 2],
    ["no right to make a TAP", new TapPermissionError("no", "run as root", CALL), 4],
    ["no right to set an address", new HostError("HOST_PERMISSION", "no"), 4],
    ["no right to a file", Object.assign(new Error("no"), { code: "EACCES" }), 4],
    ["no /dev/net/tun", new TunMissingError("no", "modprobe tun", CALL), 1],
    ["anything else", new Error("boom"), 1],
    ["nothing at all", undefined, 1],
  ])("%s", (_, error, code) => expect(exitCodeOf(error)).toBe(code));
});

describe("words", () => {
  it("are the message and what to do", () => {
    expect(explain(new CliError(EXIT.failed, "it is down", "set it up"))).toEqual([
      "poplin: it is down",
      "  → set it up",
    ]);
    expect(explain(new CliError(EXIT.failed, "it is down"))).toEqual(["poplin: it is down"]);
  });

  it("say a remedy once, though the message ends with it", () => {
    const error = new TapPermissionError("the TAP may not be opened", "run as root", CALL);
    expect(error.message).toContain("run as root");
    expect(explain(error)).toEqual([
      "poplin: the TAP may not be opened (ioctl(TUNSETIFF): EPERM)",
      "  → run as root",
    ]);
  });

  it("are the stack for what nobody foresaw", () => {
    const [line] = explain(new TypeError("x is not a function"));
    expect(line).toContain("should not have happened: TypeError: x is not a function");
    expect(line).toContain("errors.test");
    expect(explain("a string")[0]).toContain("a string");
  });
});

describe("on a terminal", () => {
  const error = new CliError(
    EXIT.notReachable,
    "no agent is running here: there is no socket at /run/poplin/agent.sock",
    "start one with `poplin agent --config FILE`, or name its socket with --socket or POPLIN_SOCKET",
  );

  it("words are folded where it ends, what comes next below its beginning", () => {
    expect(explainOn({ isTTY: true, columns: 60 }, error)).toEqual([
      "poplin: no agent is running here: there is no socket at",
      "        /run/poplin/agent.sock",
      "  → start one with `poplin agent --config FILE`, or name its",
      "    socket with --socket or POPLIN_SOCKET",
    ]);
    for (const line of explainOn({ isTTY: true }, error)) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("and nowhere else: a line is what scripts look for; a stack has lines of its own", () => {
    expect(explainOn({}, error)).toEqual(explain(error));
    const unforeseen = new Error("boom");
    expect(explainOn({ isTTY: true }, unforeseen)).toEqual(explain(unforeseen));
  });
});

describe("as JSON", () => {
  it.each([
    [new CliError(EXIT.failed, "it is down", "set it up"), "FAILED", "it is down", "set it up"],
    [new CliError(EXIT.timeout, "late"), "TIMEOUT", "late", null],
    [new HostError("HOST_PERMISSION", "no"), "HOST_PERMISSION", "no", null],
    [
      new TapPermissionError("the TAP may not be opened", "run as root", CALL),
      "POPLIN_TAP_PERMISSION",
      "the TAP may not be opened (ioctl(TUNSETIFF): EPERM)",
      "run as root",
    ],
  ])("%s", (error, code, message, remedy) => {
    expect(errorJson(error)).toEqual({ error: { code, message, remedy } });
  });

  it("what nobody foresaw keeps its stack", () => {
    const { error } = errorJson(new TypeError("x is not a function"));
    expect(error).toMatchObject({ code: "UNEXPECTED", remedy: null });
    expect(error.message).toContain("errors.test");
    expect(errorJson(undefined).error.code).toBe("UNEXPECTED");
  });
});

describe("the end of a capture", () => {
  const counts = { packets: 3, fragments: 0, truncated: 0, dropped: 0, restarts: 0, file: null };

  it("is one line when all is well", () => {
    expect(captureSummary(counts)).toEqual(["3 packets, 0 dropped"]);
    expect(captureSummary({ ...counts, packets: 1, file: "x.pcapng" })).toEqual([
      "1 packet to x.pcapng, 0 dropped",
    ]);
    expect(captureSummary({ ...counts, file: "-" })).toEqual(["3 packets, 0 dropped"]);
  });

  it("says what is missing, and why", () => {
    expect(captureSummary({ ...counts, dropped: 1200, restarts: 1 })).toEqual([
      "3 packets, 1,200 dropped",
      "! packets came faster than they could be taken: -w takes more than lines of text",
      "! and there is 1 gap in which nobody counted",
    ]);
    expect(captureSummary({ ...counts, dropped: 1, restarts: 2, file: "-" }).slice(1)).toEqual([
      "! packets came faster than they could be taken",
      "! and there are 2 gaps in which nobody counted",
    ]);
    expect(captureSummary({ ...counts, dropped: null })[0]).toContain("the native shim is not built");
  });

  it("says what is odd", () => {
    const lines = captureSummary({ ...counts, fragments: 1, truncated: 2 });
    expect(lines).toContain("! 2 packets are cut off at 65,535 bytes");
    expect(lines).toContain("! 1 is a fragment: the overlay's MTU is too large for the underlay");
  });
});
