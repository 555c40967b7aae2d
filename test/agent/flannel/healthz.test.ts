import { afterEach, expect, it } from "vitest";
import { HealthServer } from "../../../src/agent/flannel/healthz.ts";

const open: HealthServer[] = [];
afterEach(() => {
  for (const server of open.splice(0)) server.close();
});

async function ask(server: HealthServer, path: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${server.port}${path}`);
  return `${answer.status} ${(await answer.text()).trimEnd()}`;
}

it("answers a kubelet in flanneld's words, before and after the node is ready", async () => {
  const server = await HealthServer.start("127.0.0.1", 0);
  open.push(server);
  expect(await ask(server, "/healthz")).toBe("200 flanneld is running");
  expect(await ask(server, "/readyz")).toBe("503 flanneld is not ready yet");
  server.setReady();
  expect(await ask(server, "/readyz?verbose")).toBe("200 flanneld is ready");
  expect(await ask(server, "/metrics")).toBe("404 404 page not found");
});

it("says what to do where the port is taken", async () => {
  const first = await HealthServer.start("127.0.0.1", 0);
  open.push(first);
  await expect(HealthServer.start("127.0.0.1", first.port)).rejects.toMatchObject({
    message: expect.stringMatching(/the health server cannot listen: .*EADDRINUSE/),
    remedy: expect.stringMatching(/--healthz-port/),
  });
});
