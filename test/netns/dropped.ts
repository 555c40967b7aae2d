/** What a running agent tells of its drops. */
import type { AgentEvent } from "../../src/agent/api/agent-view.ts";
import type { ApiClient } from "../../src/agent/api/client.ts";
import type { CounterSnapshot } from "../../src/dataplane/counters.ts";
import type { DropReason } from "../../src/dataplane/drops.ts";
import { until } from "./agents.ts";

type Drop = Extract<AgentEvent, { type: "drop" }>;

export class Dropped {
  /** In their order. */
  readonly events: AgentEvent[] = [];
  readonly #ended = new AbortController();
  readonly #reading: Promise<void>;

  private constructor(events: AsyncIterable<AgentEvent>, ended: AbortController) {
    this.#ended = ended;
    this.#reading = (async () => {
      for await (const event of events) this.events.push(event);
    })();
  }

  /** Hears of every drop from now on. */
  static async of(client: ApiClient): Promise<Dropped> {
    const ended = new AbortController();
    return new Dropped(await client.events(ended.signal, ["drops"]), ended);
  }

  async end(): Promise<void> {
    this.#ended.abort();
    await this.#reading;
  }

  /** Waits for one. @param after how many events there were before */
  async drop(reason: DropReason, after: number): Promise<Drop> {
    const isIt = (event: AgentEvent): event is Drop => event.type === "drop" && event.reason === reason;
    return until(`a drop that is told as ${reason}`, async () => this.events.slice(after).find(isIt));
  }

  /** What was told comes to, shown or only counted. */
  get sums(): CounterSnapshot["drops"] {
    const all: CounterSnapshot["drops"] = { tx: {}, rx: {} };
    for (const event of this.events) {
      if (event.type !== "drop" && event.type !== "drops") continue;
      const of = all[event.direction];
      of[event.reason] = (of[event.reason] ?? 0) + (event.type === "drop" ? 1 : event.count);
    }
    return all;
  }
}
