import { expect, it } from "vitest";
import { loadConfig } from "../../src/agent/config/load.ts";
import { Forwardings } from "../../src/agent/forwardings.ts";
import { Log } from "../../src/agent/log.ts";
import { Serial } from "../../src/agent/serial.ts";

it("opens nothing any more after stop, whatever it is told to open", async () => {
  const lines: string[] = [];
  const log = new Log("debug", (line) => lines.push(line));
  const forwardings = new Forwardings([], { log, serial: new Serial(), fail: () => {} });
  const { config } = loadConfig({ profile: "flannel", env: { POPLIN_DEVICE: "poplin-none" }, path: null });
  forwardings.stop();
  await forwardings.update([config]);
  expect([forwardings.running, forwardings.places, lines]).toEqual([[], [], []]);
  expect(await forwardings.close()).toEqual([]);
});
