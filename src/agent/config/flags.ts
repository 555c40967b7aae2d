/**
 * The flags, as commander wants them declared. What it parses goes to `loadConfig` as it is.
 */
import type { Setting } from "./schema.ts";

/**
 * How a setting is declared to commander; `Option` takes `flags` and `description`.
 * @param defaultText what help says of the default; the setting's own when left out
 */
export function flagDeclarations(
  setting: Setting,
  defaultText = setting.defaultText,
): { flags: string; description: string }[] {
  const { flag, placeholder, description } = setting;
  if (flag === null) return [];
  if (placeholder === null) {
    return [
      { flags: flag, description: `${description} Default: ${defaultText}.` },
      { flags: flag.replace("--", "--no-"), description: `The opposite of ${flag}.` },
    ];
  }
  const value = setting.severalValues ? `<${placeholder}...>` : `<${placeholder}>`;
  return [{ flags: `${flag} ${value}`, description: `${description} Default: ${defaultText}.` }];
}
