/** What a report starts from, and what an item of it is. */
import type { ApiClient } from "../../agent/api/client.ts";
import type { AgentStatus } from "../../agent/api/status-types.ts";
import type { Running } from "./running.ts";

/** What is known before the items are gathered. */
export interface Scene {
  readonly client: ApiClient;
  /** The agent's answer, or why there is none. */
  readonly status: AgentStatus | Error;
  /** Its process, or why it cannot be seen. */
  readonly running: Running | Error;
  /** Configuration file: the agent's, or the one that was named. */
  readonly config: string | null;
}

export interface Item {
  /** In the archive. */
  readonly file: string;
  readonly about: string;
  /** @throws Error with a sentence: why it cannot be had */
  readonly text: () => Promise<string> | string;
}
