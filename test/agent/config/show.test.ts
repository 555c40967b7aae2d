/** What is shown of a configuration is a file that means the same. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type AgentConfig, type ConfigTexts, resolveConfig } from "../../../src/agent/config/load.ts";
import { formatProblem } from "../../../src/agent/config/problems.ts";
import { SETTINGS } from "../../../src/agent/config/schema.ts";
import { showConfig } from "../../../src/agent/config/show.ts";
import { configLines } from "../../../src/cli/render-config.ts";

const STYLE = { width: 80, color: false };

function valid(sources: ConfigTexts): AgentConfig {
  const { config, problems } = resolveConfig(sources);
  expect(problems.map(formatProblem)).toEqual([]);
  return config!;
}

function example(name: string): string {
  return readFileSync(new URL(`../../../examples/${name}`, import.meta.url), "utf8");
}

/** All that a configuration says, and not where. */
function meaning(config: AgentConfig): object {
  const plain = ({ origins: _origins, file: _file, ...one }: AgentConfig["overlays"][0]) => one;
  return { ...plain(config), overlays: config.overlays.map(plain) };
}

const RICH = `
vni: 7
device: "on"
address: [10.1.0.1/32, "fd00::1/128"]
mtu: 1400
vtepMac: "0e:2a:00:00:00:01"
local: 192.168.0.1
remote: [192.168.0.9, 192.168.0.8]
senderCheck: off
tos: inherit
ttl: 64
sourcePorts: fixed
offload: tap-tso=off,udp-gso=off
gbp: 5
pmtuProbe: off
neighbours: ["10.0.0.5 lladdr 02:00:00:00:00:05"]
peers:
  - { publicIp: 192.168.0.2, vtepMac: "0e:2a:00:00:00:02", subnet: [10.2.0.0/24, "fd00:2::/64"], port: 4789 }
  - { publicIp: 192.168.0.3, vtepMac: "0e:2a:00:00:00:03", subnet: 10.3.0.0/24 }
`;

describe.each([
  ["an example", example("node-a.yaml")],
  ["several overlays", example("overlays.yaml")],
  ["several, one of them at the top", `vni: 1\n${example("overlays.yaml")}`],
  ["all kinds of values", RICH],
])("%s", (_what, text) => {
  const config = valid({ file: { name: "a.yaml", text } });

  it.each([false, true])("is the same again when what is shown is read (origins: %s)", (origin) => {
    const shown = configLines(showConfig(config), origin, STYLE).join("\n");
    expect(meaning(valid({ file: { name: "b.yaml", text: shown } }))).toEqual(meaning(config));
  });

  it("has every setting once, or once for each overlay", () => {
    const { settings, overlays } = showConfig(config);
    const names = SETTINGS.map(({ name }) => name);
    const [own = []] = overlays;
    expect([...settings, ...own].map(({ name }) => name).sort()).toEqual([...names].sort());
    for (const one of overlays) expect(one.map(({ name }) => name)).toEqual(own.map(({ name }) => name));
  });
});

it("says where each value came from", () => {
  const config = valid({
    file: { name: "a.yaml", text: "vni: 3\nport: 4789\nlearning: true\n" },
    env: { POPLIN_PORT: "4790", POPLIN_TTL: "9" },
    flags: { ttl: "10" },
  });
  const origins = new Map(
    showConfig(config).settings.map(({ name, value, origin }) => [name, [value, origin]]),
  );
  expect(origins.get("vni")).toEqual(["3", "a.yaml:1:1"]);
  expect(origins.get("learning")).toEqual(["true", "a.yaml:3:1"]);
  expect(origins.get("port")).toEqual(["4790", "POPLIN_PORT"]);
  expect(origins.get("ttl")).toEqual(["10", "--ttl"]);
  expect(origins.get("df")).toEqual(["unset", "default"]);
  expect(configLines(showConfig(config), true, STYLE)).toContain(`port: 4790${" ".repeat(30)}# POPLIN_PORT`);
});
