/** What an operator should know: what is wrong with each underlay's overlays, why, and what to do. */
import { getSystemErrorName } from "node:util";
import type { Refusal } from "../dataplane/port-failures.ts";
import type { HealthLine, OverlayStatus, ReloadStatus } from "./api/status-types.ts";
import type { CarrierParts } from "./look.ts";
import { narrowPaths } from "./path-mtu/health.ts";

/** Milliseconds for which a refused packet is worth a line. */
const RECENT = 60_000;

export interface HealthParts {
  /** One for each underlay. */
  readonly carriers: readonly CarrierParts[];
  readonly lastReload: ReloadStatus | null;
  readonly started: boolean;
  readonly stopping: boolean;
}

/** @param overlays of each underlay, as the status has them */
export function healthLines(
  { carriers, lastReload, started, stopping }: HealthParts,
  overlays: readonly (readonly OverlayStatus[])[],
): HealthLine[] {
  const open = carriers.filter(({ running }) => running !== undefined);
  if (stopping || open.length === 0) return [];
  const lost = started ? carriers.filter(({ running }) => running === undefined) : [];
  return [
    ...lost.map(beingMade),
    // Of several underlays each line says whose it is.
    ...open.flatMap((carrier) => carrierLines(carrier, carriers.length > 1 ? ` of ${namesOf(carrier)}` : "")),
    ...reloadLines(lastReload),
    ...carriers.flatMap((carrier, i) => narrow(carrier, overlays[i]!)),
  ];
}

function namesOf({ config }: CarrierParts): string {
  return config.overlays.map(({ device }) => device).join(", ");
}

function beingMade(carrier: CarrierParts): HealthLine {
  const message = `${namesOf(carrier)} forwards nothing: it is made anew`;
  return { level: "error", message, remedy: "see the agent's log" };
}

function carrierLines({ running, health, wrong }: CarrierParts, of: string): HealthLine[] {
  const lines: HealthLine[] = [];
  const add = (level: HealthLine["level"], message: string, remedy: string | null = null): void =>
    void lines.push({ level, message, remedy });
  if (health === null) add("error", `the dataplane${of} does not answer`, "restart the agent");
  for (const message of running?.overlays.flatMap(({ peers }) => peers.otherFailures) ?? []) {
    add("error", message, "see the agent's log");
  }
  for (const message of wrong) {
    add("error", message, "put right within half a minute, or at once: `poplin reconcile`");
  }
  const warnings = running?.overlays.flatMap(({ device }) => device.warnings);
  for (const warning of new Set(warnings)) add("warning", warning);
  const refused = (port: string, { errno, at }: Refusal): void => {
    // After a clock was set back it is unknown how long ago: the next refusal says it again.
    if (errno === 0 || Math.abs(Date.now() - at) > RECENT) return;
    add("warning", `${port}, last with ${getSystemErrorName(-errno)}`, "`poplin stats` says how many");
  };
  if (health !== null) {
    refused(`the underlay${of} refused datagrams`, health.lastRefused.tx);
    refused(`the TAP${of} refused frames`, health.lastRefused.rx);
  }
  return lines;
}

function reloadLines(lastReload: ReloadStatus | null): HealthLine[] {
  if (lastReload === null || lastReload.ok) return [];
  const message = `the last reload failed: ${lastReload.message}`;
  return [{ level: "warning", message, remedy: "correct what it names and reload again (SIGHUP)" }];
}

/** Paths that are narrower than the overlays. */
function narrow({ config, running }: CarrierParts, overlays: readonly OverlayStatus[]): HealthLine[] {
  const peers = overlays.flatMap((overlay) => overlay.peers);
  const vteps = new Map([
    ...peers.map(({ publicIp, pathMtu }) => [publicIp, { address: publicIp, pathMtu }] as const),
    ...overlays.flatMap(({ flooding }) =>
      flooding.remotes.map((remote) => [remote.address, remote] as const),
    ),
  ]);
  const mtu = Math.max(...overlays.map(({ device }) => device.mtu));
  return narrowPaths([...vteps.values()], running === undefined ? 0 : mtu, config.pmtu);
}
