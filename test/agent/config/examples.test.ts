/** The two examples: they face each other, name every setting, and every line that is commented out is right, too. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type AgentConfig, resolveConfig } from "../../../src/agent/config/load.ts";
import { formatProblem } from "../../../src/agent/config/problems.ts";
import { SETTINGS, type SettingName, settingOf } from "../../../src/agent/config/schema.ts";

const FILES = ["node-a.yaml", "node-b.yaml"] as const;
const texts = FILES.map((name) =>
  readFileSync(new URL(`../../../examples/${name}`, import.meta.url), "utf8"),
);

function valid(text: string): AgentConfig {
  const { config, problems, warnings } = resolveConfig({ file: { name: "example", text } });
  expect([...problems, ...warnings].map(formatProblem)).toEqual([]);
  return config!;
}

const NAMES = SETTINGS.map(({ name }) => name).join("|");
/** Those that show a value that one might want, or whose default depends on others. */
const NOT_THE_DEFAULT = ["address", "device", "mtu", "dev", "remote", "group", "floodRate", "senderCheck"];

/** A setting at the start of a line, or one that is commented out. */
const SETTING_LINE = new RegExp(`^(?:# )?(${NAMES}):( |$)`, "gm");

describe("the examples", () => {
  it("face each other", () => {
    const [a, b] = texts.map(valid) as [AgentConfig, AgentConfig];
    const facing = (own: AgentConfig) => ({
      publicIp: own.local,
      vtepMac: own.vtepMac,
      subnets: own.address.map((cidr) => cidr.replace("/32", "/24")),
      port: own.port,
    });
    expect(a.peers).toEqual([facing(b)]);
    expect(b.peers).toEqual([facing(a)]);
    expect([a.vni, a.port]).toEqual([b.vni, b.port]);
  });
});

describe.each(FILES.map((name, i) => [name, texts[i]!] as const))("%s", (_name, text) => {
  it("names every setting, and marks the reloadable ones", () => {
    const seen = new Map<string, boolean>();
    for (const block of text.split("\n\n")) {
      for (const [, name] of block.matchAll(SETTING_LINE)) seen.set(name!, block.includes("[live]"));
    }
    expect(Object.fromEntries(seen)).toEqual(
      Object.fromEntries(SETTINGS.map(({ name, reload }) => [name, reload === "live"])),
    );
  });

  it("has no line, commented out or not, that would be a mistake", () => {
    const lines = text.split("\n");
    let tried = 0;
    lines.forEach((line, i) => {
      const match = /^(\s*)# ([a-zA-Z0-9]+): (.+)$/.exec(line);
      const known = match !== null && (SETTINGS.some(({ name }) => name === match[2]) || match[1] !== "");
      if (!known) return;
      const [, indent, name, value] = match;
      const others = lines.filter((other, j) => j === i || !other.startsWith(`${indent}${name}:`));
      const config = valid(others.join("\n").replace(line, `${indent}${name}: ${value}`));
      tried++;
      if (indent !== "" || NOT_THE_DEFAULT.includes(name!)) return;
      expect(config[name as SettingName]).toEqual(settingOf(name as SettingName).fallback);
    });
    expect(tried).toBeGreaterThanOrEqual(SETTINGS.length - 3);
  });
});
