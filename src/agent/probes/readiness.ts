/**
 * Whether the agent is alive, and whether it is ready, with the reasons why not: what /livez and /readyz say, and what
 * systemd is told.
 *
 *   alive   the main thread answers, which whoever asks sees, and so does each thread that moves packets
 *   ready   all that should forward is open and alive, and a frame of ours has gone through encap and decap of each
 *           overlay and come back (`dataplane/self-probe.ts`); of a flannel node also its lease and subnet.env
 *
 * Nothing here is kept up by a timer: who asks has it looked at. A probe that came back counts for a few seconds, one that
 * did not is made again at the next question.
 */
import type { ProbeVerdict } from "../../dataplane/self-probe.ts";
import type { ClusterView } from "../api/cluster-types.ts";
import type { Engine } from "../engine/engine.ts";
import type { Forwarding } from "../forwarding.ts";
import type { Place } from "../place.ts";
import { inTime } from "./in-time.ts";

/** Milliseconds for which a probe that came back counts. */
export const PROBE_COUNTS = 5000;
/** Milliseconds between two tries where packets wait in the rings, and how many. */
const BUSY = { again: 10, tries: 50 } as const;

/** What is forwarding, or should be. */
export type ProbedPlace = Pick<Place, "devices"> & {
  readonly forwarding: Pick<Forwarding, "running"> | undefined;
};

export interface ReadinessParts {
  readonly places: () => readonly ProbedPlace[];
  readonly started: () => boolean;
  readonly stopping: () => boolean;
  readonly cluster: ClusterView | null;
  /** For tests. */
  readonly now?: () => number;
}

interface Probed {
  /** When all frames came back last. */
  at: number;
  /** A round that is under way. */
  round: Promise<string[]> | null;
}

export class Readiness {
  readonly #parts: ReadinessParts;
  readonly #now: () => number;
  readonly #probed = new WeakMap<Engine, Probed>();
  /** Probes so far, by what came of them. */
  readonly probes = { ok: 0, failed: 0, busy: 0 };

  constructor(parts: ReadinessParts) {
    this.#parts = parts;
    this.#now = parts.now ?? (() => performance.now());
  }

  /** @returns why it is not alive; nothing where it is. While it starts, or opens something anew, it is. */
  async live(): Promise<string[]> {
    return (await Promise.all(this.#parts.places().map(answers))).flat();
  }

  /** @returns why it is not ready, a sentence each; nothing where it is */
  async ready(): Promise<string[]> {
    const { started, stopping, cluster } = this.#parts;
    if (stopping()) return ["the agent is about to end"];
    if (!started()) return ["the agent is starting"];
    return [...(await this.probe()), ...(cluster?.notReady() ?? [])];
  }

  /** Has a frame sent through each overlay, where none came back a moment ago. @returns what is open and does not forward */
  async probe(): Promise<string[]> {
    const each = await Promise.all(this.#parts.places().map((place) => this.#notReady(place)));
    return each.flat();
  }

  async #notReady(place: ProbedPlace): Promise<string[]> {
    const { forwarding, devices } = place;
    if (forwarding === undefined) return [`${devices.join(", ")} forwards nothing: it is made anew`];
    const silent = await answers(place);
    if (silent.length > 0) return silent;
    const { engine, overlays } = forwarding.running;
    const probed = this.#probed.get(engine) ?? { at: Number.NEGATIVE_INFINITY, round: null };
    this.#probed.set(engine, probed);
    if (probed.round === null && this.#now() - probed.at < PROBE_COUNTS) return [];
    probed.round ??= this.#probe(engine, probed, overlays).finally(() => {
      probed.round = null;
    });
    return probed.round;
  }

  /** Probes every overlay of an engine. @returns what did not come back */
  async #probe(
    engine: Engine,
    probed: Probed,
    overlays: Forwarding["running"]["overlays"],
  ): Promise<string[]> {
    const reasons: string[] = [];
    let waits = false;
    for (const [overlay, { device, config }] of overlays.entries()) {
      const verdict = await probeOnce(engine, overlay);
      this.probes[verdict === null ? "ok" : verdict === "busy" ? verdict : "failed"]++;
      if (verdict === "busy") waits = true;
      else if (verdict !== null) {
        reasons.push(`a probe through ${device.name} (VNI ${config.vni}) did not come back: ${verdict.why}`);
      }
    }
    if (reasons.length > 0) probed.at = Number.NEGATIVE_INFINITY;
    // Where packets wait they are on their way, which a frame that came back before has shown.
    else if (!waits || probed.at > Number.NEGATIVE_INFINITY) probed.at = this.#now();
    else reasons.push("no probe yet: packets wait for a TAP or the underlay");
    return reasons;
  }
}

async function probeOnce(engine: Engine, overlay: number): Promise<ProbeVerdict> {
  for (let i = 1; ; i++) {
    const verdict = await inTime(engine.ask({ type: "probe", overlay })).catch(({ message }: Error) => ({
      why: message,
    }));
    if (verdict !== "busy" || i === BUSY.tries) return verdict;
    await new Promise((resolve) => setTimeout(resolve, BUSY.again));
  }
}

/** Whether the threads of what is open answer: they do between two batches. */
async function answers({ devices, forwarding }: ProbedPlace): Promise<string[]> {
  if (forwarding === undefined) return [];
  try {
    await inTime(forwarding.running.engine.ask({ type: "health" }));
    return [];
  } catch {
    return [`the dataplane of ${devices.join(", ")} does not answer`];
  }
}
