/** A configuration as a file: what `poplin config show` prints. Pure. */
import type { ShownConfig, ShownSetting } from "../agent/config/show.ts";
import { paint, type Style, widthOf } from "./output.ts";

/** Column of the origins, unless a value is longer. */
const ORIGIN = 40;

/** @param origin whether each line says where its value came from */
export function configLines({ settings, overlays }: ShownConfig, origin: boolean, style: Style): string[] {
  const line = (indent: string) => (one: ShownSetting) => settingLines(one, indent, origin, style);
  return [
    ...settings.flatMap(line("")),
    ...(overlays.length > 0 ? ["overlays:"] : []),
    // The first line of each begins the list's element.
    ...overlays.flatMap((one) =>
      one.flatMap(line("    ")).map((text, i) => (i === 0 ? text.replace("    ", "  - ") : text)),
    ),
  ];
}

function settingLines(
  { name, value, otherwise, origin }: ShownSetting,
  indent: string,
  named: boolean,
  style: Style,
): string[] {
  const list = Array.isArray(value) ? (value as readonly string[]) : [];
  // What there is none of cannot stand in a file.
  const text = value === null ? `# ${name}: ${otherwise}` : `${name}: ${list.length > 0 ? "" : value}`;
  const first = `${indent}${text}`.trimEnd();
  const pad = " ".repeat(Math.max(2, ORIGIN - widthOf(first)));
  const comment = pad + paint(style, origin === "default" ? "dim" : "cyan", `# ${origin}`);
  return [named ? first + comment : first, ...list.map((item) => `${indent}  - ${item}`)];
}
