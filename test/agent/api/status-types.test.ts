import { expect, it } from "vitest";
import { failures } from "../../../src/agent/api/status-types.ts";
import { healthyStatus } from "./fake-agent.ts";

it("a warning is no failure; a peer that is not ok, an error and any state but running are", () => {
  const health = (level: "info" | "warning" | "error") => [{ level, message: "m", remedy: null }];
  expect(failures(healthyStatus())).toEqual([]);
  expect(failures(healthyStatus({ health: health("warning") }))).toEqual([]);
  expect(failures(healthyStatus({ health: health("error") }))).toEqual(["m"]);
  expect(failures(healthyStatus({ state: "starting" }))).toEqual(["the agent is starting"]);
  const [peer] = healthyStatus().peers;
  expect(failures(healthyStatus({ peers: [{ ...peer!, state: "no route" }] }))).toEqual([
    "peer 172.19.0.3: no route",
  ]);
});
