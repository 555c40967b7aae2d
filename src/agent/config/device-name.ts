/**
 * The device's name alone, for who cleans up: a mistake elsewhere in the configuration is no reason to leave a device
 * behind, and a mistake about the name is none to guess at one.
 *
 *   flags ▷ environment ▷ file: the strongest that gives `device`, else flannel.VNI with the `vni` found the same way
 *
 * A source that has a mistake which may be about the setting asked for is not passed over.
 */

import type { Found } from "./found.ts";
import { type ConfigSources, type ConfigTexts, layersOf, readConfigFile } from "./load.ts";
import { ConfigError, type Problem } from "./problems.ts";
import { SETTINGS, type SettingName, settingOf } from "./schema.ts";

/** @throws ConfigError with the mistakes that leave the name unknown */
export function resolveDeviceName(sources: ConfigTexts): string {
  return nameFrom(layersOf(sources));
}

/** The same, with the file still to be read: one that cannot be read matters only where no stronger source names the device. */
export function loadDeviceName({ path = null, ...others }: ConfigSources): string {
  const { file, unreadable } = readConfigFile(path);
  const [first, ...stronger] = layersOf({ ...others, file });
  return nameFrom([{ ...first!, problems: [...unreadable, ...first!.problems] }, ...stronger]);
}

/**
 * The names of all devices: several where the file has a list of overlays and no stronger source names a device.
 * @throws as `loadDeviceName`
 */
export function loadDeviceNames(sources: ConfigSources): string[] {
  const { path = null, ...others } = sources;
  const [inFile, ...stronger] = layersOf({ ...others, file: readConfigFile(path).file });
  const { overlays, given, problems } = inFile!;
  if (overlays === null || stronger.some((layer) => layer.given.has("device")))
    return [loadDeviceName(sources)];
  const doubts = problems.filter(
    ({ setting }) => setting === "" || /^overlays(\[\d+\](\.(vni|device))?)?$/.test(setting),
  );
  if (doubts.length > 0) throw new ConfigError(doubts);
  const top = given.has("vni") || stronger.some((layer) => layer.given.has("vni"));
  const listed = overlays.map((overlay) => {
    const device = overlay.given.get("device")?.value as string | null | undefined;
    return device ?? `flannel.${overlay.given.get("vni")!.value}`;
  });
  return [...(top ? [loadDeviceName(sources)] : []), ...listed];
}

/** @param layers the weakest first */
function nameFrom(layers: readonly Found[]): string {
  const device = strongest<string | null>(layers, "device");
  return device ?? `flannel.${strongest<number>(layers, "vni")}`;
}

function strongest<T>(layers: readonly Found[], name: SettingName): T {
  for (const layer of layers.toReversed()) {
    const given = layer.given.get(name);
    const doubts = layer.problems.filter((problem) =>
      given === undefined ? mayConcern(problem, name) : problem.setting === name,
    );
    if (doubts.length > 0) throw new ConfigError(doubts);
    if (given !== undefined) return given.value as T;
  }
  return settingOf(name).fallback as T;
}

/** Whether a mistake may be about this setting: by its name, by a name that means it, or because lines are unreadable. */
function mayConcern({ setting, hint }: Problem, name: SettingName): boolean {
  if (setting === "" || setting === name) return true;
  // "peers[0].publicIp" is about `peers`
  const word = /^[^[.]*/.exec(setting)![0];
  const known = SETTINGS.some((one) => one.name === word);
  return !known && hint.includes(`\`${name}\``);
}
