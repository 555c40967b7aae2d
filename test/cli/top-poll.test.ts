/** What `poplin top` asks of an agent, and how often. */
import { beforeEach, expect, it, vi } from "vitest";
import { ApiClient } from "../../src/agent/api/client.ts";
import { startApiServer } from "../../src/agent/api/server.ts";
import type { OverlayStatus } from "../../src/agent/api/status-types.ts";
import { MOST_DEVICES, Poll } from "../../src/cli/top-poll.ts";
import { healthyStatus } from "../agent/api/fake-agent.ts";
import { CommandLine } from "./command.ts";

const SOME = MOST_DEVICES + 4;
let cli: CommandLine;

beforeEach(async () => {
  cli = new CommandLine();
  const [first] = healthyStatus().overlays as [OverlayStatus];
  const overlays = Array.from({ length: SOME }, (_, i): OverlayStatus => {
    return { ...first, device: { ...first.device, name: `vx${i}`, vni: i } };
  });
  cli.agent.answer = async () => healthyStatus({ pid: process.pid, overlays });
  const server = await startApiServer({ path: cli.socket, view: cli.agent });
  return async () => {
    await server.close();
    await cli.close();
  };
});

it("of many overlays the first, and all of them together", async () => {
  const stats = vi.spyOn(cli.agent, "stats");
  const { devices, meant } = await new Poll(new ApiClient(cli.socket), {}).sample();
  expect([devices.length, meant]).toEqual([MOST_DEVICES, SOME]);
  expect(stats).toHaveBeenCalledTimes(MOST_DEVICES + 1);
});

it("the one that is meant alone, and no sum of others", async () => {
  const stats = vi.spyOn(cli.agent, "stats");
  const { devices, meant } = await new Poll(new ApiClient(cli.socket), { dev: "vx19" }).sample();
  expect([devices.map(({ dev }) => dev), meant]).toEqual([["vx19"], 1]);
  expect(stats.mock.calls).toEqual([[{ dev: "vx19" }], [{ dev: "vx19" }]]);
});

it("the forwarding table's rows are counted once in a while: the agent lists them all for it", async () => {
  const fdb = vi.spyOn(cli.agent, "fdb");
  cli.agent.rows.set("02:00:00:00:00:01", {
    ...{ mac: "02:00:00:00:00:01", dev: "vx1", vni: 1, dst: "192.0.2.1", port: 8472 },
    state: "permanent",
  });
  const poll = new Poll(new ApiClient(cli.socket), {});
  const first = await poll.sample();
  const second = await poll.sample();
  for (const { devices } of [first, second])
    expect(devices.map(({ fdb }) => fdb).slice(0, 3)).toEqual([0, 1, 0]);
  expect(fdb).toHaveBeenCalledTimes(1);
  // The clock that nobody sets, moved on.
  vi.spyOn(performance, "now").mockReturnValue(performance.now() + 3_600_000);
  await poll.sample();
  vi.restoreAllMocks();
  expect(fdb).toHaveBeenCalledTimes(2);
});
