/**
 * The agent's configuration, from all its sources.
 *
 *   flags ▷ environment ▷ file ▷ defaults ──▶ draft ──▶ checks ──▶ AgentConfig, or every mistake at once
 *
 * A mistake counts even where a stronger source overrides the value: it is a mistake all the same, and the day the
 * override goes it would bite.
 */
import { readFileSync } from "node:fs";
import type { Family } from "../../control/address.ts";
import type { Lease } from "../../control/lease.ts";
import { type Draft, familyOfDraft } from "./draft.ts";
import type { Found } from "./found.ts";
import { checkDrafts, draftsOf } from "./overlay-drafts.ts";
import { ConfigError, type Place, type Problem } from "./problems.ts";
import { SETTINGS, type Setting, type SettingName, type Settings } from "./schema.ts";
import { readEnvironment, readFileText, readFlags } from "./sources.ts";

/**
 * A checked configuration of one overlay, with all that it shares with others. Null is left only where the answer is
 * on the machine: `mtu`, `vtepMac`, `local`.
 */
export interface OverlayConfig extends Settings {
  readonly device: string;
  readonly senderCheck: Exclude<Settings["senderCheck"], null>;
  readonly peers: readonly Lease[];
  /** Family of the underlay. */
  readonly family: Family;
  /** Networks in which direct routes through the uplink are ours; none but for a node of a flannel cluster. */
  readonly networks: readonly string[];
  /** The file it came from; null without one. */
  readonly file: string | null;
  /** Where each value came from. */
  readonly origins: Readonly<Record<SettingName, Place>>;
}

/** A checked configuration: that of the first overlay, and all of them. */
export interface AgentConfig extends OverlayConfig {
  /** At least one; the first has the values that stand beside this list. */
  readonly overlays: readonly [OverlayConfig, ...OverlayConfig[]];
}

/**
 * Whose defaults count where nobody says anything: those of a node whose peers stand in its file, of a VXLAN device as
 * `ip link add type vxlan` makes it, or of a node that finds its peers in a flannel cluster's store. There the sender
 * check looks at the inner MAC: flannel nodes may send from another address than the one that they publish.
 */
export type Profile = "agent" | "vtep" | "flannel";

const PROFILES: Readonly<Record<Profile, { prefix: string; defaults: Partial<Settings> }>> = {
  agent: { prefix: "flannel.", defaults: {} },
  vtep: { prefix: "vxlan", defaults: { learning: true } },
  flannel: { prefix: "flannel.", defaults: { senderCheck: "mac" } },
};

/** @returns what help says of a setting's default */
export function defaultTextOf({ name, defaultText, format }: Setting, profile: Profile): string {
  const { prefix, defaults } = PROFILES[profile];
  if (name === "device") return `${prefix}VNI`;
  return name in defaults ? format(defaults[name]) : defaultText;
}

/** Where to look. */
export interface ConfigSources {
  /** Left out: "agent". */
  readonly profile?: Profile;
  /** Path of the file; null or left out without one. */
  readonly path?: string | null;
  /** `process.env`, or a part of it. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Options as commander parsed them; what is no setting is ignored. */
  readonly flags?: Readonly<Record<string, unknown>>;
}

/** The same with the file already read: its name, for places, and its text. */
export interface ConfigTexts extends Omit<ConfigSources, "path"> {
  readonly file?: { readonly name: string; readonly text: string } | null;
}

export interface ConfigResult {
  /** Null when there are problems. */
  readonly config: AgentConfig | null;
  readonly problems: readonly Problem[];
  /** What is suspicious, and no reason not to start. */
  readonly warnings: readonly Problem[];
}

/** Puts the sources together. Pure; never throws, whatever they hold. */
export function resolveConfig(sources: ConfigTexts): ConfigResult {
  const layers = layersOf(sources);
  const profile = PROFILES[sources.profile ?? "agent"];
  const top = draftOf(layers, profile.defaults);
  const drafts = draftsOf(top, layers[0]!.overlays);
  const checked = checkDrafts(top, drafts, profile.prefix);
  const problems = [...layers.flatMap((layer) => layer.problems), ...checked.problems];
  const warnings = [...layers.flatMap((layer) => layer.warnings), ...checked.warnings];
  const config = problems.length > 0 ? null : configOf(drafts, sources.file?.name ?? null, profile.prefix);
  return { config, problems, warnings };
}

/** @returns what each source gives, the weakest first: file, environment, flags */
export function layersOf({ file = null, env = {}, flags = {} }: ConfigTexts): Found[] {
  return [readFileText(file?.name ?? "", file?.text ?? ""), readEnvironment(env), readFlags(flags)];
}

/**
 * Reads the file, if there is one, and puts the sources together.
 * @throws ConfigError with every mistake
 */
export function loadConfig(sources: ConfigSources): {
  config: AgentConfig;
  warnings: readonly Problem[];
} {
  const { path = null, ...others } = sources;
  const { file, unreadable } = readConfigFile(path);
  const { config, problems, warnings } = resolveConfig({ ...others, file });
  if (config === null || unreadable.length > 0) throw new ConfigError([...unreadable, ...problems]);
  return { config, warnings };
}

/** @returns the file's text, null without one; and why it could not be read */
export function readConfigFile(path: string | null): {
  file: Exclude<ConfigTexts["file"], undefined>;
  unreadable: readonly Problem[];
} {
  if (path === null) return { file: null, unreadable: [] };
  const text = readText(path);
  return typeof text === "string"
    ? { file: { name: path, text }, unreadable: [] }
    : { file: null, unreadable: [text] };
}

function readText(path: string): string | Problem {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code, message: system } = error as NodeJS.ErrnoException;
    const [message, hint] = UNREADABLE[code ?? ""] ?? [`cannot be read: ${system}`, ""];
    return { place: { source: "file", file: path, line: 0, column: 0 }, setting: "", message, hint };
  }
}

const UNREADABLE: Readonly<Record<string, [string, string]>> = {
  ENOENT: ["there is no such file", "examples/node-a.yaml is one to start from"],
  EACCES: ["we may not read this file", "see who owns it with `ls -l`"],
  EISDIR: ["this is a directory", "name the file in it"],
};

/** For each setting the value of the strongest layer that has one. Later layers are stronger. */
function draftOf(layers: readonly Found[], defaults: Partial<Settings>): Draft {
  const values: Partial<Record<SettingName, unknown>> = {};
  const places = new Map<SettingName, Place>();
  let addressPlaces: readonly Place[] = [];
  let remotePlaces: readonly Place[] = [];
  for (const { name, fallback } of SETTINGS) {
    values[name] = defaults[name] ?? fallback;
    for (const layer of layers) {
      const given = layer.given.get(name);
      if (given === undefined) continue;
      if (name !== "peers") values[name] = given.value;
      places.set(name, given.place);
      if (name === "address") addressPlaces = given.places;
      if (name === "remote") remotePlaces = given.places;
    }
  }
  const peers = layers.flatMap((layer) => layer.peers);
  return { settings: values as unknown as Settings, places, addressPlaces, remotePlaces, peers };
}

function configOf(drafts: readonly Draft[], file: string | null, devicePrefix: string): AgentConfig {
  const overlays = drafts.map((draft) => overlayOf(draft, file, devicePrefix));
  const [first] = overlays;
  return { ...first!, overlays: overlays as unknown as AgentConfig["overlays"] };
}

function overlayOf(draft: Draft, file: string | null, devicePrefix: string): OverlayConfig {
  const { settings, places, peers } = draft;
  const leases = peers.map(({ lease }): Lease => ({ ...lease, port: lease.port ?? settings.port }));
  const origins = SETTINGS.map(({ name }): [SettingName, Place] => [
    name,
    places.get(name) ?? { source: "default" },
  ]);
  return {
    ...settings,
    device: settings.device ?? `${devicePrefix}${settings.vni}`,
    senderCheck: settings.senderCheck ?? (settings.group === null ? "strict" : "off"),
    peers: leases,
    family: familyOfDraft(draft),
    networks: [],
    file,
    origins: Object.fromEntries(origins) as Record<SettingName, Place>,
  };
}
