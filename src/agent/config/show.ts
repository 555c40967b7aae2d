/**
 * A configuration as it counts, with where each value came from: `poplin config show`. Its text is a configuration file
 * again, and means the same.
 */
import { stringify } from "yaml";
import type { Lease } from "../../control/lease.ts";
import type { AgentConfig, OverlayConfig } from "./load.ts";
import { isOverlaySetting } from "./overlays.ts";
import { formatPlace } from "./problems.ts";
import { SETTINGS, type Setting, type SettingName } from "./schema.ts";

/** A setting with its value. */
export interface ShownSetting {
  readonly name: SettingName;
  /** As it would stand in a file, on one line; of peers, a line for each; null where there is none. */
  readonly value: string | readonly string[] | null;
  /** What counts where there is none, for people: "none", "the uplink's less 50". */
  readonly otherwise: string;
  /** "node-a.yaml:3:6", "--port", "POPLIN_PORT", "net-conf.json" or "default". */
  readonly origin: string;
  /** Whether a reload changes it while packets flow. */
  readonly live: boolean;
}

export interface ShownConfig {
  /** The file it came from. */
  readonly file: string | null;
  /** Of the whole agent; with one overlay, that one's, too. */
  readonly settings: readonly ShownSetting[];
  /** Of several overlays, what is each one's. */
  readonly overlays: readonly (readonly ShownSetting[])[];
}

export function showConfig(config: AgentConfig): ShownConfig {
  const { file, overlays } = config;
  const several = overlays.length > 1;
  const of = (one: OverlayConfig, shown: (name: SettingName) => boolean): ShownSetting[] =>
    SETTINGS.filter(({ name }) => shown(name)).map((setting) => showSetting(setting, one));
  return {
    file,
    settings: of(config, (name) => !several || !isOverlaySetting(name)),
    overlays: several ? overlays.map((one) => of(one, isOverlaySetting)) : [],
  };
}

function showSetting(setting: Setting, config: OverlayConfig): ShownSetting {
  const { name, format, reload, defaultText: otherwise } = setting;
  const origin = formatPlace(config.origins[name]);
  const peers = name === "peers" && config.peers.length > 0;
  const value = peers ? config.peers.map(peerOf) : textOf(config[name], format);
  return { name, value, otherwise, origin, live: reload === "live" };
}

function textOf(value: unknown, format: (value: unknown) => string): string | null {
  if (value === null) return null;
  if (Array.isArray(value) || typeof value === "number" || typeof value === "boolean") return inline(value);
  return inline(format(value));
}

/** A peer as the file has it. */
function peerOf({ publicIp, vtepMac, subnets, port }: Lease): string {
  return inline({ publicIp, vtepMac, subnet: subnets.length === 1 ? subnets[0] : subnets, port });
}

/** YAML on one line. */
function inline(value: unknown): string {
  return stringify(value, { collectionStyle: "flow", lineWidth: 0, flowCollectionPadding: false }).trim();
}
