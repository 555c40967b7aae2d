/** A fake agent, and the real API in front of it, on a socket in a folder of its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApiServer, startApiServer } from "../../../src/agent/api/server.ts";
import { FakeAgent } from "./fake-agent.ts";

export class ApiStage {
  readonly folder = mkdtempSync(join(tmpdir(), "poplin-api-"));
  readonly agent = new FakeAgent();
  /** What no client caused. */
  readonly errors: unknown[] = [];
  /** Where the next server listens. */
  path = join(this.folder, "run", "agent.sock");
  readonly #servers: ApiServer[] = [];

  async start(): Promise<ApiServer> {
    const { path, agent: view, errors } = this;
    const server = await startApiServer({ path, view, onError: (error) => errors.push(error) });
    this.#servers.push(server);
    return server;
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}
