/** What `poplin ping` prints: a line for each layer, and below one that fails why, and the next command. Pure. */
import type { Layer, LayerState } from "../doctor/ping/layers.ts";
import type { Target } from "../doctor/ping/target.ts";
import { hang, paint, type Style } from "./output.ts";

const STATES: Readonly<
  Record<LayerState, readonly [word: string, color: "green" | "red" | "yellow" | "dim"]>
> = {
  ok: ["ok", "green"],
  fail: ["FAIL", "red"],
  unknown: ["?", "yellow"],
  skipped: ["-", "dim"],
  narrow: ["narrow", "yellow"],
};

export function renderPing(
  { publicIp, vtepMac, subnets, name, overlay: { device } }: Target,
  port: number,
  layers: readonly Layer[],
  style: Style,
): string[] {
  const who = name === null ? publicIp : `${name}, ${publicIp}`;
  const known = [who, vtepMac ?? "", ...subnets].filter((word) => word !== "").join(", ");
  return [
    ...hang("peer ", `${known}, by ${device.name} (VNI ${device.vni})`, style.width),
    ...layers.flatMap((layer) => layerLines(layer, port, style)),
  ];
}

/** Columns of the name, the verdict and the time. */
const WIDTHS = [10, 7] as const;

function layerLines({ name, state, time, text, remedy }: Layer, port: number, style: Style): string[] {
  const [word, color] = STATES[state];
  const title = name === "udp" ? `UDP ${port}` : name === "vxlan" ? "VXLAN" : name === "mtu" ? "MTU" : name;
  const head = `  ${title.padEnd(WIDTHS[0])}${paint(style, color, word)}${" ".repeat(WIDTHS[1] - word.length)}`;
  const timed = time === null ? "" : `${[time.min, time.avg, time.max].map(milliseconds).join("/")} ms, `;
  const indent = " ".repeat(2 + WIDTHS[0] + WIDTHS[1]);
  return [
    ...hang(head, `${timed}${text}`, style.width),
    ...(remedy === null ? [] : hang(`${indent}→ `, remedy, style.width)),
  ];
}

/** Three digits that count: 0.123, 1.23, 12.3, 123. */
function milliseconds(ms: number): string {
  return ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms >= 1 ? ms.toFixed(2) : ms.toFixed(3);
}
