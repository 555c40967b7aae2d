/**
 * Which of the agent's overlays a request means, by VNI and device. With two underlays two overlays may have one VNI, so
 * that only their devices tell them apart. Whoever reads gets all that match; whoever changes something must mean one.
 */
import type { OverlayChoice } from "./api/agent-view.ts";
import { AgentError } from "./api/refusals.ts";
import type { OverlayConfig } from "./config/load.ts";
import type { Overlay } from "./overlay.ts";

/** An overlay of the configuration. */
export interface Candidate {
  readonly config: Pick<OverlayConfig, "vni" | "device">;
  /** Undefined while its devices are not open. */
  readonly overlay: Overlay | undefined;
}

/**
 * @returns those that are meant and open, at least one
 * @throws AgentError `NO_SUCH_VNI`, `NO_SUCH_DEVICE`, `UNAVAILABLE`
 */
export function allOf(candidates: readonly Candidate[], choice: OverlayChoice = {}): readonly Overlay[] {
  const open = meant(candidates, choice).flatMap(({ overlay }) => (overlay === undefined ? [] : [overlay]));
  if (open.length === 0) throw unavailable();
  return open;
}

/**
 * @returns the only one that is meant, whether the others are open or not
 * @throws AgentError as `allOf`, and `WHICH_VNI`
 */
export function oneOf(candidates: readonly Candidate[], choice: OverlayChoice = {}): Overlay {
  const found = meant(candidates, choice);
  const [first] = found;
  if (found.length > 1) throw several(found, choice);
  if (first?.overlay === undefined) throw unavailable();
  return first.overlay;
}

/** The error of whoever asks for what is not open. */
export function unavailable(): AgentError {
  return new AgentError("UNAVAILABLE", "the dataplane is not up yet");
}

function meant(candidates: readonly Candidate[], { vni, dev }: OverlayChoice): readonly Candidate[] {
  const found = candidates.filter(
    ({ config }) => (vni === undefined || config.vni === vni) && (dev === undefined || config.device === dev),
  );
  if (found.length > 0) return found;
  const words = [dev === undefined ? "" : `device ${dev}`, vni === undefined ? "" : `VNI ${vni}`];
  const what = words.filter((word) => word !== "").join(" and ");
  const there = dev === undefined ? vnisOf(candidates) : devicesOf(candidates);
  throw new AgentError(
    dev === undefined ? "NO_SUCH_VNI" : "NO_SUCH_DEVICE",
    `the agent has no overlay with ${what}`,
    `there are: ${there.join(", ")}`,
  );
}

function several(found: readonly Candidate[], { vni }: OverlayChoice): AgentError {
  const vnis = vnisOf(found);
  if (new Set(vnis).size === vnis.length) {
    const remedy = `say which by its VNI: ${vnis.join(", ")}`;
    return new AgentError("WHICH_VNI", "the agent has several overlays", remedy);
  }
  return new AgentError(
    "WHICH_VNI",
    `the agent has several overlays${vni === undefined ? "" : ` with VNI ${vni}`}`,
    `say which by its device: ${devicesOf(found).join(", or ")}`,
  );
}

function vnisOf(candidates: readonly Candidate[]): number[] {
  return candidates.map(({ config }) => config.vni);
}

function devicesOf(candidates: readonly Candidate[]): string[] {
  return candidates.map(({ config }) => `dev ${config.device}`);
}
