import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { takeAsked } from "../../../src/agent/systemd/asked.ts";
import { Notifier } from "../../../src/agent/systemd/notify.ts";
import { loadShim } from "../../../src/io/linux/shim.ts";
import { describeWith, shim, tool } from "../../helpers/needs.ts";
import { until } from "../../helpers/until.ts";
import { Listener } from "./listener.ts";

const EAGAIN = -11;
const ECONNREFUSED = -111;

describe("what systemd has asked for", () => {
  it.each([
    [{}, null],
    [{ NOTIFY_SOCKET: "" }, null],
    [{ NOTIFY_SOCKET: "vsock:2:1" }, null],
    [{ NOTIFY_SOCKET: "/run/x" }, { socket: "/run/x", watchdog: null }],
    [
      { NOTIFY_SOCKET: "@x", WATCHDOG_USEC: "3000000" },
      { socket: "@x", watchdog: 3000 },
    ],
    [
      { NOTIFY_SOCKET: "@x", WATCHDOG_USEC: "3000000", WATCHDOG_PID: "7" },
      { socket: "@x", watchdog: 3000 },
    ],
    [
      { NOTIFY_SOCKET: "@x", WATCHDOG_USEC: "3000000", WATCHDOG_PID: "8" },
      { socket: "@x", watchdog: null },
    ],
    [
      { NOTIFY_SOCKET: "@x", WATCHDOG_USEC: "0" },
      { socket: "@x", watchdog: null },
    ],
    [
      { NOTIFY_SOCKET: "@x", WATCHDOG_USEC: "1e9" },
      { socket: "@x", watchdog: null },
    ],
  ])("%j", (words, asked) => {
    const env: NodeJS.ProcessEnv = { PATH: "/bin", ...words };
    expect(takeAsked(env, 7)).toEqual(asked);
    // None of it is for our children.
    expect(env).toEqual({ PATH: "/bin" });
  });
});

describe("a message to systemd", () => {
  afterEach(() => vi.useRealTimers());

  it("is sent again while its socket takes nothing, and in order", () => {
    vi.useFakeTimers();
    const sent: string[] = [];
    let full = true;
    const send = (_: string, bytes: Uint8Array): number =>
      full ? EAGAIN : sent.push(Buffer.from(bytes).toString());
    const notifier = new Notifier("@x", send, () => {});
    notifier.say({ READY: 1 });
    notifier.say({ STATUS: "two\nlines" });
    vi.advanceTimersByTime(250);
    expect(sent).toEqual([]);
    full = false;
    vi.advanceTimersByTime(100);
    expect(sent).toEqual(["READY=1", "STATUS=two; lines"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("that nobody takes is told once, and forgotten", () => {
    const told: string[] = [];
    const notifier = new Notifier(
      "@x",
      () => ECONNREFUSED,
      (message) => told.push(message),
    );
    notifier.say({ READY: 1 });
    notifier.say({ STOPPING: 1 });
    expect(told).toEqual(["systemd does not hear us at @x: ECONNREFUSED"]);
  });
});

describeWith([shim(), tool("python3")], "a datagram to a Unix socket", () => {
  const folder = mkdtempSync(join(tmpdir(), "poplin-notify-"));
  const open: Listener[] = [];
  afterEach(() => {
    for (const one of open.splice(0)) one.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("arrives, by path and by abstract name, and refuses what is no name", async () => {
    const { sendLocal } = loadShim();
    const names = [join(folder, "notify"), `@poplin-test-${process.pid}`];
    for (const name of names) {
      const listener = await Listener.open(name);
      open.push(listener);
      expect(sendLocal(name, Buffer.from("READY=1\nSTATUS=ü"))).toBe(17);
      await until("it arrives", () => listener.heard.length > 0);
      expect(listener.heard).toEqual([["READY=1", "STATUS=ü"]]);
    }
    const bytes = new Uint8Array(1);
    expect(sendLocal("", bytes)).toBe(-22);
    expect(sendLocal(join(folder, "nobody"), bytes)).toBe(-2);
    expect(() => sendLocal("/".repeat(109), bytes)).toThrow(RangeError);
    expect(() => sendLocal("@x\0y", bytes)).toThrow(/name/);
  });
});
