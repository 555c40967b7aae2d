/** What an agent needs only while it starts, given back. */

/**
 * Has V8 collect all it can and return the memory. A start leaves some 12 MB of garbage with a thousand peers, parsed and
 * put into the kernel's tables; V8 keeps it until the thread has had nothing to do for some eight seconds. Takes
 * 10 to 40 ms. Only the inspector can ask for it without a flag on Node's command line; a Node that was built
 * without one keeps the garbage.
 */
export async function releaseGarbage(): Promise<void> {
  try {
    const { Session } = await import("node:inspector");
    const session = new Session();
    session.connect();
    await new Promise((resolve) => session.post("HeapProfiler.collectGarbage", resolve));
    session.disconnect(); // never from within the callback: Node 20 then waits for itself
  } catch {
    // Then it is not collected, which is no reason to stop forwarding.
  }
}
