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
  readonly #open = new Map<ServerResponse, EventWriter>();

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
    const writer = new EventWriter(response);
    const end = this.#view.listen((event) => writer.tell(event), topics);
    this.#open.set(response, writer);
    response.once("close", () => {
      this.#open.delete(response);
      end();
    });
    response.writeHead(200, { "content-type": "application/x-ndjson", connection: "close" });
    response.flushHeaders();
  }

  /** Ends them all. */
  close(): void {
    for (const [response, writer] of this.#open) {
      writer.write();
      response.end();
    }
  }
}

/** What a client was not told of. */
interface Skipped {
  events: number;
  passed: number;
  dropped: number;
}

/**
 * Writes events as lines. What comes at once is written at once: whether there is room is asked before all of it, as the first
 * few lines would fill what Node calls full.
 */
class EventWriter {
  readonly #response: ServerResponse;
  #waiting: ToldEvent[] = [];
  #skipped: Skipped = { events: 0, passed: 0, dropped: 0 };

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  tell(event: ToldEvent): void {
    if (this.#waiting.push(event) === 1) queueMicrotask(() => this.write());
  }

  /** What waits, now. */
  write(): void {
    const response = this.#response;
    const events = this.#waiting;
    this.#waiting = [];
    if (events.length === 0 || response.destroyed || response.writableEnded) return;
    if (response.writableNeedDrain) {
      for (const event of events) skip(this.#skipped, event);
      return;
    }
    const lines = [...skippedEvents(this.#skipped, events[0]!.at), ...events].map(line);
    this.#skipped = { events: 0, passed: 0, dropped: 0 };
    response.write(lines.join(""));
  }
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
