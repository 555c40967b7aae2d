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

/** What a client was not told of. */
interface Skipped {
  events: number;
  passed: number;
  dropped: number;
}

/**
 * @returns what writes an event as a line. What comes at once is written at once: whether there is room is asked before all of
 * it, as the first few lines would fill what Node calls full.
 */
function writerOf(response: ServerResponse): (event: ToldEvent) => void {
  let waiting: ToldEvent[] = [];
  let skipped: Skipped = { events: 0, passed: 0, dropped: 0 };
  const write = (): void => {
    const events = waiting;
    waiting = [];
    if (response.destroyed || response.writableEnded) return;
    if (response.writableNeedDrain) {
      for (const event of events) skip(skipped, event);
      return;
    }
    const lines = [...skippedEvents(skipped, events[0]!.at), ...events].map(line);
    skipped = { events: 0, passed: 0, dropped: 0 };
    response.write(lines.join(""));
  };
  return (event) => {
    if (waiting.push(event) === 1) queueMicrotask(write);
  };
}

function skip(skipped: Skipped, event: ToldEvent): void {
  switch (event.type) {
    case "packet":
      skipped[event.drop === null ? "passed" : "dropped"] += 1;
      return;
    case "unseen":
      skipped.passed += event.passed;
      skipped.dropped += event.dropped;
      return;
    default:
      skipped.events += "count" in event ? event.count : 1;
  }
}

function skippedEvents({ events, passed, dropped }: Skipped, at: string): ToldEvent[] {
  return [
    ...(events === 0 ? [] : [{ type: "lost" as const, count: events, at }]),
    ...(passed + dropped === 0 ? [] : [{ type: "unseen" as const, passed, dropped, at }]),
  ];
}

function line(event: ToldEvent): string {
  return `${JSON.stringify(event)}\n`;
}
