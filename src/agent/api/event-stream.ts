/**
 * GET /v1/events?about=misses,drops,packets: a line of JSON for each event, for as long as the client stays. Whoever reads too slowly does not hold
 * the agent's memory: events that find the connection full are skipped, and a line tells how many.
 */
import type { ServerResponse } from "node:http";
import type { AgentView, ToldEvent, Topic } from "./agent-view.ts";
import { AgentError } from "./refusals.ts";

/** Clients that may listen at a time. */
const MOST = 16;

export class EventStreams {
  readonly #view: AgentView;
  readonly #open = new Set<ServerResponse>();

  constructor(view: AgentView) {
    this.#view = view;
  }

  /** Answers with the events about some topics from now on. @throws AgentError when that cannot be */
  start(response: ServerResponse, topics: readonly Topic[]): void {
    if (this.#open.size >= MOST) {
      const message = `${MOST} clients listen to the events already`;
      throw new AgentError(
        "TOO_MANY_LISTENERS",
        message,
        "end one of them: `ps` shows `poplin events` and `poplin monitor`",
      );
    }
    const end = this.#view.listen(writerOf(response), topics);
    this.#open.add(response);
    response.once("close", () => {
      this.#open.delete(response);
      end();
    });
    response.writeHead(200, { "content-type": "application/x-ndjson", connection: "close" });
    response.flushHeaders();
  }

  /** Ends them all. */
  close(): void {
    for (const response of this.#open) response.end();
  }
}

/** @returns what writes an event as a line, where there is room for it */
function writerOf(response: ServerResponse): (event: ToldEvent) => void {
  let skipped = 0;
  return (event) => {
    if (response.destroyed || response.writableEnded) return;
    if (response.writableNeedDrain) {
      skipped += howMany(event);
      return;
    }
    if (skipped > 0) {
      response.write(line({ type: "lost", count: skipped, at: event.at }));
      skipped = 0;
    }
    response.write(line(event));
  };
}

/** Of how many an event tells. */
function howMany(event: ToldEvent): number {
  if (event.type === "unseen") return event.passed + event.dropped;
  return "count" in event ? event.count : 1;
}

function line(event: ToldEvent): string {
  return `${JSON.stringify(event)}\n`;
}
