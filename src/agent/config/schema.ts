/**
 * Every setting of the agent, once: its name, where it can be given, how it is read, what it is when nobody gives it,
 * and whether a reload can change it. The file's keys, the flags, the environment's variables and the documentation
 * all come from this table, whose rows stand by topic in `rows/`.
 */

import { FLOODING_ROWS } from "./rows/flooding.ts";
import { HEADER_ROWS, RARE_HEADER_ROWS } from "./rows/headers.ts";
import { OVERLAY_ROWS } from "./rows/overlay.ts";
import { PATH_MTU_ROWS } from "./rows/path-mtu.ts";
import { PROCESS_ROWS } from "./rows/process.ts";
import { PROXY_ROWS } from "./rows/proxy.ts";
import { TRAFFIC_ROWS, UNDERLAY_ROWS } from "./rows/underlay.ts";
import type { Rows, Setting, SettingName } from "./settings.ts";
import type { Reader } from "./values.ts";

export type { Setting, SettingName, Settings } from "./settings.ts";

const noScalar: Reader<never> = () => ({ ok: false, message: "not a list of peers", hint: "" });

/** All of them; their order is that of the documentation and of help. */
const ROWS: Rows<SettingName> = {
  ...OVERLAY_ROWS,
  ...UNDERLAY_ROWS,
  ...FLOODING_ROWS,
  ...HEADER_ROWS,
  ...TRAFFIC_ROWS,
  ...RARE_HEADER_ROWS,
  ...PROXY_ROWS,
  ...PATH_MTU_ROWS,
  ...PROCESS_ROWS,
  peers: {
    shape: "peers",
    read: noScalar,
    fallback: [],
    defaultText: "none",
    example: "",
    description: "The other nodes of the overlay.",
    reload: "live",
  },
};

/** What a value is called that the machine decides. */
function formatPlain(value: unknown): string {
  return value === null ? "auto" : String(value);
}

/** All settings, in the order in which they are documented. */
export const SETTINGS: readonly Setting[] = (Object.keys(ROWS) as SettingName[]).map((name) => {
  const row = ROWS[name];
  const shape = row.shape ?? "scalar";
  const inFileOnly = shape === "peers";
  const format = (row.format ?? formatPlain) as Setting["format"];
  const words = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return {
    name,
    flag: inFileOnly ? null : `--${words}`,
    placeholder: row.placeholder ?? null,
    env: inFileOnly ? null : `POPLIN_${words.toUpperCase().replaceAll("-", "_")}`,
    shape,
    severalValues: shape === "list" || shape === "words",
    read: row.read,
    gather: (row.gather as Setting["gather"] | undefined) ?? ((values) => values.at(-1)),
    format,
    fallback: row.fallback,
    defaultText: row.defaultText ?? format(row.fallback),
    example: row.example,
    description: row.description,
    reload: row.reload,
  };
});

/** @returns the setting of that name. */
export function settingOf(name: SettingName): Setting {
  return SETTINGS.find((setting) => setting.name === name)!;
}
