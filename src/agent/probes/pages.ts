/**
 * What machines ask of a running agent over HTTP: four pages of plain text, on the API's socket, on `healthAddress`, and
 * for kubelets where flanneld has them. They are read only.
 *
 *   /healthz   200 while the process runs
 *   /livez     200; 503 with the reasons where a thread that moves packets does not answer
 *   /readyz    200; 503 with the reasons, a line each
 *   /metrics   for Prometheus
 */
import type { ServerResponse } from "node:http";

export const PAGES = ["/healthz", "/livez", "/readyz", "/metrics"] as const;

/** Who knows the answers. */
export interface HealthSource {
  /** @returns why it is not alive, a sentence each; nothing where it is */
  live(): Promise<readonly string[]>;
  /** @returns why it is not ready, a sentence each; nothing where it is */
  ready(): Promise<readonly string[]>;
  metrics(): Promise<Page>;
}

export interface Page {
  readonly status: number;
  /** Media type. */
  readonly type: string;
  readonly text: string;
}

/** How the pages say it. */
export interface Words {
  readonly running: string;
  readonly ready: string;
  readonly notReady: string;
}

export const POPLIN_WORDS: Words = {
  running: "poplin is running",
  ready: "poplin is ready",
  notReady: "poplin is not ready",
};

const TEXT = "text/plain; charset=utf-8";

/** @returns null where there is no such page */
export async function pageOf(path: string, source: HealthSource, words = POPLIN_WORDS): Promise<Page | null> {
  switch (path) {
    case "/healthz":
      return text(200, words.running);
    case "/livez":
      return verdict(await source.live(), "alive", "not alive");
    case "/readyz":
      return verdict(await source.ready(), words.ready, words.notReady);
    case "/metrics":
      return source.metrics();
    default:
      return null;
  }
}

function verdict(reasons: readonly string[], good: string, bad: string): Page {
  if (reasons.length === 0) return text(200, good);
  return text(503, [bad, ...reasons].join("\n"));
}

export function text(status: number, words: string): Page {
  return { status, type: TEXT, text: words };
}

/** Sends a page, and ends the connection. @param head without its text */
export function sendPage(response: ServerResponse, page: Page, head = false): void {
  if (response.destroyed) return;
  const bytes = Buffer.from(page.text);
  response.writeHead(page.status, {
    "content-type": page.type,
    "content-length": bytes.length,
    connection: "close",
    ...(page.status === 405 ? { allow: "GET, HEAD" } : {}),
  });
  response.end(head ? undefined : bytes);
}
