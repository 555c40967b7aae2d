/**
 * How charts look: a white sheet, so that they read the same on a dark page; one colour for poplin, dark grey for the
 * kernel, which everything is compared with, and quiet ones for the rest. Names stand beside what they name.
 */
import { describe } from "../../machine.mjs";

export const WIDTH = 860;
export const FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif";
export const INK = "#1f2733";
export const FAINT = "#6b7685";
export const GRID = "#e3e7ec";
const KERNEL = "#4a5568";
const POPLIN = "#0b6bcb";
/** Other poplins in the run: variants, another commit. */
const VARIANTS = ["#0f9d8a", "#8250df", "#c2410c", "#b8328f", "#7a8b00", "#0891b2", "#a16207"];
const QUIET = "#a9b4c2";

/** @param config a configuration of the results, in their order */
export function colour(config, configurations) {
  if (config.name === "kernel") return KERNEL;
  if (config.name === "poplin") return POPLIN;
  if (config.kind !== "poplin") return QUIET;
  const others = configurations.filter(({ kind, name }) => kind === "poplin" && name !== "poplin");
  return VARIANTS[others.indexOf(config) % VARIANTS.length];
}

/** Title, what was measured, and at the foot on which machine; charts draw between the two. */
export const TOP = 84;
export const FOOT = 34;

export function sheet(results, { title, subtitle, height }, option) {
  return {
    height,
    option: {
      animation: false,
      backgroundColor: "#ffffff",
      textStyle: { fontFamily: FONT, color: INK },
      title: {
        ...{ text: title, subtext: subtitle, left: 20, top: 18, itemGap: 6, padding: 0 },
        textStyle: { fontSize: 18, fontWeight: 600, color: INK },
        subtextStyle: { fontSize: 12.5, color: FAINT, lineHeight: 17 },
      },
      ...option,
      graphic: [...(option.graphic ?? []), text(footer(results), { left: 20, bottom: 12 }, { fontSize: 11 })],
    },
  };
}

/** A text anywhere on the sheet. */
export function text(words, place, style = {}) {
  const { fontSize = 12, fill = FAINT, fontWeight = "normal", ...rest } = style;
  return {
    ...{ type: "text", silent: true, z: 10, ...place },
    style: { text: words, fill, font: `${fontWeight} ${fontSize}px ${FONT}`, ...rest },
  };
}

export function footer({ machine, date, poplin }) {
  const commit = poplin.commit
    ? ` · poplin ${poplin.commit.slice(0, 7)}${poplin.dirty ? " and changes" : ""}`
    : "";
  return `${describe(machine)} · ${date.slice(0, 10)}${commit}`;
}

/** "medians of 5 interleaved runs of 3 s" */
export function howOften({ plan }) {
  const runs = plan.runs === 1 ? "one run" : `medians of ${plan.runs} interleaved runs`;
  return `${runs} of ${plan.seconds} s`;
}

/** Behind words that lie over lines. */
export const HALO = { textBorderColor: "#ffffff", textBorderWidth: 3 };

export const AXIS = {
  axisLine: { show: false },
  axisTick: { show: false },
  axisLabel: { color: FAINT, fontSize: 12 },
  splitLine: { lineStyle: { color: GRID } },
  nameTextStyle: { color: FAINT, fontSize: 12 },
};

/** The frame around a set of axes. */
export function grid(place) {
  return { containLabel: false, ...place };
}
