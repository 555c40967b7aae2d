/** Whether there is a status to judge, from what an agent answers. */
import { expect, it } from "vitest";
import { ApiClient } from "../../../src/agent/api/client.ts";
import type { AgentStatus } from "../../../src/agent/api/status-types.ts";
import { askAgent } from "../../../src/doctor/gather/agent.ts";
import { healthyStatus } from "../../agent/api/fake-agent.ts";

class Answering extends ApiClient {
  answer: AgentStatus = healthyStatus();
  override status(): Promise<AgentStatus> {
    return Promise.resolve(this.answer);
  }
}

const client = new Answering("/nowhere");

async function codeFor(answer: AgentStatus): Promise<[code: string, judged: boolean]> {
  client.answer = answer;
  const { evidence, status } = await askAgent(client);
  return [evidence.answer.code, status !== null];
}

it("there is one of an agent that forwards, whole or in part", async () => {
  expect(await codeFor(healthyStatus())).toEqual(["", true]);
  expect(await codeFor(healthyStatus({ state: "degraded" }))).toEqual(["", true]);
});

it("there is none of one that starts, ends, or whose dataplane hangs", async () => {
  expect(await codeFor(healthyStatus({ state: "starting" }))).toEqual(["STARTING", false]);
  expect(await codeFor(healthyStatus({ state: "stopping" }))).toEqual(["STARTING", false]);
  const { dataplane } = healthyStatus();
  const hung = healthyStatus({
    dataplane: { ...dataplane, slots: null },
    health: [{ level: "error", message: "the dataplane does not answer", remedy: "restart the agent" }],
  });
  client.answer = hung;
  expect(await askAgent(client)).toMatchObject({
    evidence: { answer: { code: "DATAPLANE", message: "the dataplane does not answer" } },
    status: null,
  });
});
