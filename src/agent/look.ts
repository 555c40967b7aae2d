/** What a status asks of all that forwards over one underlay: quickly, or not at all. */
import type { DataplaneHealth } from "../dataplane/dataplane.ts";
import type { AgentConfig } from "./config/load.ts";
import type { Forwarding } from "./forwarding.ts";
import type { Running } from "./open.ts";
import type { PathWatch } from "./path-mtu/watch.ts";
import { planSentences } from "./plan.ts";
import { inTime } from "./probes/in-time.ts";

/** What is known of it. */
export interface CarrierParts {
  readonly config: AgentConfig;
  /** Undefined until the dataplane is up. */
  readonly running: Pick<Running, "overlays" | "underlay" | "offloads" | "engine"> | undefined;
  /** Undefined until the paths are watched. */
  readonly paths: PathWatch | undefined;
  /** Null when the dataplane did not answer. */
  readonly health: DataplaneHealth | null;
  /** What is not as it should be at this moment, a sentence each. */
  readonly wrong: readonly string[];
}

/** @param place its forwarding is undefined where it is not open */
export async function look({
  config,
  forwarding,
}: {
  readonly config: AgentConfig;
  readonly forwarding: Forwarding | undefined;
}): Promise<CarrierParts> {
  const { running, paths } = forwarding ?? {};
  const health = running && (await inTime(running.engine.ask({ type: "health" })).catch(() => null));
  // Where the dataplane does not answer, its rows cannot be compared either: one such line is enough.
  const wrong = forwarding && health ? await wrongWith(forwarding) : [];
  return { config, running, paths, health: health ?? null, wrong };
}

async function wrongWith(forwarding: Forwarding): Promise<string[]> {
  try {
    return (await inTime(forwarding.plan())).flatMap(planSentences);
  } catch (error) {
    return [(error as Error).message];
  }
}
