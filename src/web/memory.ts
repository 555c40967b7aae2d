/**
 * The dataplane's counters and events lie in memory that threads share. A page has one thread, and browsers give such memory
 * only to pages that a server sends with special headers: here ordinary memory does.
 */
export function haveOrdinaryMemoryDo(): void {
  const browser = globalThis as { SharedArrayBuffer?: unknown };
  browser.SharedArrayBuffer ??= ArrayBuffer;
}
