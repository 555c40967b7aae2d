import { afterEach, expect, it } from "vitest";
import { FlannelHealth } from "../../../src/agent/flannel/healthz.ts";

import { FakeAgent } from "../api/fake-agent.ts";

const open: FlannelHealth[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

async function ask(server: FlannelHealth, path: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${server.port}${path}`);
  return `${answer.status} ${(await answer.text()).trimEnd()}`;
}

it("answers a kubelet in flanneld's words, before and after the node is ready", async () => {
  const server = await FlannelHealth.start("127.0.0.1", 0);
  open.push(server);
  expect(await ask(server, "/healthz")).toBe("200 flanneld is running");
  expect(await ask(server, "/livez")).toBe("200 alive");
  expect(await ask(server, "/readyz")).toBe(
    "503 flanneld is not ready yet\nthe node has not joined its network yet",
  );
  expect(await ask(server, "/metrics")).toBe("503 503 the agent is not up yet");
  const agent = new FakeAgent();
  agent.notReady = ["subnet.env is not written", "another reason"];
  server.attach(agent);
  expect(await ask(server, "/readyz")).toBe(
    "503 flanneld is not ready yet\nsubnet.env is not written\nanother reason",
  );
  agent.notReady = [];
  expect(await ask(server, "/readyz?verbose")).toBe("200 flanneld is ready");
  expect(await ask(server, "/metrics")).toBe("200 # HELP a b");
  expect(await ask(server, "/v1/status")).toBe("404 404 page not found");
});

it("says what to do where the port is taken", async () => {
  const first = await FlannelHealth.start("127.0.0.1", 0);
  open.push(first);
  await expect(FlannelHealth.start("127.0.0.1", first.port)).rejects.toMatchObject({
    message: expect.stringMatching(/the health server cannot listen: .*EADDRINUSE/),
    remedy: expect.stringMatching(/--healthz-port/),
  });
});
