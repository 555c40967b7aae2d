/** What an agent needs only for a moment, at its start or when many peers change, given back. */

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

/** Changes after which there is garbage worth the time that it takes to collect it: some 10 KB for each. */
const MUCH = 500;
/** Milliseconds from then until it is collected: changes come in crowds. */
const COLLECT_AFTER = 5000;

/** Has garbage collected after many changes, which V8 would otherwise let grow to some hundred MB in a node at rest. */
export class Garbage {
  readonly #release: () => Promise<void>;
  #made = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(release = releaseGarbage) {
    this.#release = release;
  }

  /** @param changes how many there were */
  made(changes: number): void {
    this.#made += changes;
    if (this.#made < MUCH || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#made = 0;
      this.#timer = undefined;
      void this.#release();
    }, COLLECT_AFTER);
    this.#timer.unref();
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
