/**
 * The three places where settings are given, each read into the same form: for each setting the values found, with
 * their place, and the mistakes.
 *
 *   file ──▶ tree (document.ts) ─┐
 *   environment ─────────────────┼──▶ Found: setting → value and place
 *   flags ───────────────────────┘
 */
import { type Entry, type Item, readDocument, scalarsOf, type Tree, wordsOf } from "./document.ts";
import type { Found, FoundOverlay, Given } from "./found.ts";
import { kernelOption } from "./kernel-options.ts";
import { isOverlaySetting, OVERLAYS, readOverlays } from "./overlays.ts";
import { type LocatedLease, readPeers } from "./peers.ts";
import { closest, didYouMean, type Place, type Problem } from "./problems.ts";
import { SETTINGS, type Setting, type SettingName, settingOf } from "./schema.ts";
import type { Raw } from "./values.ts";

/** Names under which people look for our settings: the kernel's, flannel's, and our own older habits. */
const OTHER_NAMES: ReadonlyMap<string, SettingName> = new Map([
  ["name", "device"],
  ["iface", "local"],
  ["publicip", "local"],
  ["addresses", "address"],
  ["mac", "vtepMac"],
  ["checksum", "udpChecksum"],
  ["rcvbuf", "receiveBuffer"],
  ["sndbuf", "sendBuffer"],
  ["peer", "peers"],
  ["remotes", "remote"],
  ["flood", "remote"],
  ["loglevel", "logLevel"],
]);

/** Settings of earlier versions, with what is written now. */
const FORMER_NAMES: ReadonlyMap<string, string> = new Map([
  ["gro", "it is `offload: udp-gro=off` now, or on"],
]);

class Collector {
  /** What stands before a setting's name in a message: "" or, in the list of overlays, "overlays[1]." */
  readonly prefix: string;
  readonly given = new Map<SettingName, Given>();
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  peers: readonly LocatedLease[] = [];
  overlays: readonly FoundOverlay[] | null = null;

  constructor(prefix = "") {
    this.prefix = prefix;
  }

  problem(place: Place, setting: string, message: string, hint = ""): void {
    this.problems.push({ place, setting: `${this.prefix}${setting}`, message, hint });
  }

  /** Reads the values of one setting: one for a scalar, any number where several are possible. */
  read(setting: Setting, place: Place, items: readonly Item[]): void {
    const values: unknown[] = [];
    let failed = false;
    items.forEach((item, i) => {
      const name = items.length > 1 ? `${setting.name}[${i}]` : setting.name;
      const reading =
        item.raw === null || item.raw === ""
          ? { ok: false as const, message: "has no value", hint: `write one, as ${setting.example}` }
          : setting.read(item.raw);
      if (reading.ok) values.push(reading.value);
      else {
        failed = true;
        this.problem(item.place, name, reading.message, reading.hint);
      }
    });
    const value = setting.gather(values);
    if (failed || value === undefined) return;
    this.given.set(setting.name, { place, value, places: items.map((item) => item.place) });
  }
}

/** Settings of a file. */
export function readFileText(file: string, text: string): Found {
  const found = new Collector();
  const { tree, problems } = readDocument(file, text);
  if (tree !== null) readTree(found, tree);
  // A mistake in the syntax makes nonsense of the rest of its line: say nothing more about that.
  const lines = new Set(problems.map(({ place }) => lineOf(place)));
  const others = found.problems.filter(({ place }) => !lines.has(lineOf(place)));
  const all = [...problems, ...others].sort((a, b) => lineOf(a.place) - lineOf(b.place));
  const { given, peers, overlays, warnings } = found;
  return { given, peers, overlays, problems: all, warnings };
}

function lineOf(place: Place): number {
  return place.source === "file" ? place.line : 0;
}

function readTree(found: Collector, tree: Tree): void {
  if (tree.kind === "scalar" && tree.raw === null) return;
  if (tree.kind !== "map") {
    found.problem(tree.place, "", "the file holds no settings", "write one on each line, as `vni: 1`");
    return;
  }
  readEntries(found, tree.entries);
}

function readEntries(found: Collector, entries: readonly Entry[]): void {
  const seen = new Set<string>();
  for (const entry of entries) {
    if (seen.has(entry.key)) found.problem(entry.keyPlace, entry.key, "is given twice", "remove one of them");
    else if (entry.key === OVERLAYS && found.prefix === "") {
      found.overlays = readOverlays(entry, readOverlay, found.problems);
    } else readEntry(found, entry);
    seen.add(entry.key);
  }
}

/** One element of the list: the same settings as at the top level, of those that an overlay has. */
function readOverlay(entries: readonly Entry[], prefix: string): Found {
  const found = new Collector(prefix);
  readEntries(found, entries);
  for (const [name, { place }] of found.given) {
    if (isOverlaySetting(name)) continue;
    const hint = "write it at the top level";
    found.problem(place, name, "is one for all overlays of the agent", hint);
  }
  return found;
}

function readEntry(found: Collector, { key, keyPlace, value }: Entry): void {
  const setting = SETTINGS.find(({ name }) => name === key);
  const known = setting === undefined ? kernelOption(key) : undefined;
  if (setting === undefined && known !== undefined) {
    readKernelOption(found, key, keyPlace, value, known);
    return;
  }
  if (setting === undefined) {
    const other = OTHER_NAMES.get(key.toLowerCase().replace(/[-_]/g, ""));
    const names = [...SETTINGS.map(({ name }) => name), ...(found.prefix === "" ? [OVERLAYS] : [])];
    const hint =
      FORMER_NAMES.get(key) ?? (didYouMean(key, names) || (other ? `did you mean \`${other}\`?` : ""));
    found.problem(keyPlace, key, "there is no such setting", hint);
    return;
  }
  if (setting.shape === "peers") {
    const { peers, problems } = readPeers(value, found.prefix);
    found.peers = peers;
    found.problems.push(...problems);
    found.given.set("peers", { place: keyPlace, value: undefined, places: [] });
    return;
  }
  if (found.given.has(setting.name)) {
    const hint = "remove one of them";
    found.problem(keyPlace, key, `\`${key}\` is given under the kernel's name for it, too`, hint);
    return;
  }
  const items = setting.shape === "words" ? wordsOf(value) : scalarsOf(value, setting.severalValues);
  if (items !== null) {
    found.read(setting, keyPlace, items);
    return;
  }
  const expected = setting.severalValues ? "a value or a list of values" : "one value";
  found.problem(value.place, key, `takes ${expected}`, `write it as \`${key}: ${setting.example}\``);
}

/** A key in the kernel's words: the setting that means the same. */
function readKernelOption(
  found: Collector,
  key: string,
  place: Place,
  value: Tree,
  { option, off }: NonNullable<ReturnType<typeof kernelOption>>,
): void {
  const { setting, convert = (raw) => raw, why = "" } = option;
  if (setting === null) {
    found.problem(place, key, "is an option of the kernel's that poplin does not have", why);
    return;
  }
  if (found.given.has(setting)) {
    found.problem(place, key, `means the same as \`${setting}\`, which is given, too`, "remove one of them");
    return;
  }
  const items = scalarsOf(value, false);
  if (items === null) found.problem(value.place, key, "takes one value", `see \`${setting}\``);
  else {
    const raws = items.map((item) => ({ ...item, raw: convert(off ? !isOn(item.raw) : item.raw) }));
    found.read(settingOf(setting), place, raws);
  }
}

/** `nolearning:` alone, or `nolearning: true`. */
function isOn(raw: Raw): boolean {
  return raw === null || raw === true || /^(true|yes|on|1)$/i.test(String(raw));
}

const PREFIX = "POPLIN_";

/** Settings of the environment. Variables of ours that are no settings, and resemble none, are left alone. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): Found {
  const found = new Collector();
  const known = SETTINGS.flatMap(({ env: variable }) =>
    variable === null ? [] : [variable.slice(PREFIX.length)],
  );
  for (const variable of Object.keys(env).sort()) {
    const text = env[variable];
    if (!variable.startsWith(PREFIX) || text === undefined || text === "") continue;
    const place: Place = { source: "environment", variable };
    const setting = SETTINGS.find((one) => one.env === variable);
    if (setting === undefined) {
      const name = variable.slice(PREFIX.length);
      const word = closest(name, known);
      const theirs = kernelOption(name.toLowerCase())?.option.setting ?? null;
      const meant = theirs === null ? word : settingOf(theirs).env!.slice(PREFIX.length);
      const hint =
        FORMER_NAMES.get(name.toLowerCase()) ?? (meant === null ? "" : `did you mean ${PREFIX}${meant}?`);
      if (hint !== "")
        found.warnings.push({ place, setting: "", message: "is no setting of poplin's", hint });
    } else if (variable === "POPLIN_PORT" && /^(tcp|udp|sctp):\/\//.test(text)) {
      // Kubernetes sets NAME_PORT=tcp://10.0.0.1:80 in every pod for every Service, also for one called "poplin".
      const message = `"${text}" comes from Kubernetes, for a Service called poplin, and is ignored`;
      const hint = "set enableServiceLinks: false in the pod";
      found.warnings.push({ place, setting: "port", message, hint });
    } else {
      const texts = setting.severalValues ? text.split(",") : [text];
      found.read(
        setting,
        place,
        texts.map((raw) => ({ raw: raw.trim(), place })),
      );
    }
  }
  return found;
}

/** Settings of the command line: by the setting's name, which is commander's name for its flag. */
export function readFlags(flags: Readonly<Record<string, unknown>>): Found {
  const found = new Collector();
  for (const setting of SETTINGS) {
    const value = flags[setting.name];
    if (value === undefined || setting.flag === null) continue;
    const no = setting.placeholder === null && value === false;
    const flag = no ? setting.flag.replace("--", "--no-") : setting.flag;
    const place: Place = { source: "flag", flag };
    const values = Array.isArray(value) ? value.flatMap((text) => String(text).split(",")) : [value as Raw];
    found.read(
      setting,
      place,
      values.map((raw) => ({ raw, place })),
    );
  }
  return found;
}
