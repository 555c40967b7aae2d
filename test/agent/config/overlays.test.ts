import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadDeviceNames } from "../../../src/agent/config/device-name.ts";
import { describeDiff, diffConfig } from "../../../src/agent/config/diff.ts";
import {
  type AgentConfig,
  type ConfigSources,
  type ConfigTexts,
  resolveConfig,
} from "../../../src/agent/config/load.ts";
import { formatPlace, formatProblem } from "../../../src/agent/config/problems.ts";

const read = (text: string, sources: Partial<ConfigTexts> = {}) =>
  resolveConfig({ ...sources, file: { name: "f", text } });

function valid(text: string, sources: Partial<ConfigTexts> = {}): AgentConfig {
  const { config, problems, warnings } = read(text, sources);
  expect([...problems, ...warnings].map(formatProblem)).toEqual([]);
  return config!;
}

const mistakes = (text: string): string[] => read(text).problems.map(formatProblem);
const peer = (n: number, subnet = `10.${n}.0.0/24`): string =>
  `{ publicIp: 192.168.0.${n}, vtepMac: "0e:2a:00:00:00:0${n}", subnet: ${subnet} }`;

describe("overlays", () => {
  it("are one, the top level, without a list", () => {
    const config = valid("vni: 7\ntos: 4");
    expect(config.overlays).toHaveLength(1);
    const { overlays, ...first } = config;
    expect(overlays[0]).toEqual(first);
  });

  it("have their own settings, and the top level's where they say nothing", () => {
    const { overlays, ...first } = valid(
      `learning: true\nport: 4789\noverlays:\n  - vni: 2\n    learning: false\n    peers: [${peer(2)}]\n` +
        "  - { id: 3, device: t3, remote: 192.168.0.3, ageing: 10 }\n",
    );
    expect(
      overlays.map(({ vni, device, learning, ageing, port }) => [vni, device, learning, ageing, port]),
    ).toEqual([
      [2, "flannel.2", false, 300, 4789],
      [3, "t3", true, 10, 4789],
    ]);
    expect(overlays.map(({ remote, peers }) => [remote, peers.map(({ port }) => port)])).toEqual([
      [[], [4789]],
      [["192.168.0.3"], []],
    ]);
    expect(first).toEqual(overlays[0]);
    expect(formatPlace(overlays[1]!.origins.ageing)).toMatch(/^f:7:/);
  });

  it("begin with the top level where it gives a VNI, in the file or as a flag", () => {
    const vnis = ({ overlays }: AgentConfig) =>
      overlays.map(({ vni, device, address }) => [vni, device, address]);
    const list = "overlays: [{ vni: 2 }]";
    expect(vnis(valid(`vni: 1\naddress: 10.1.0.0/32\n${list}`))).toEqual([
      [1, "flannel.1", ["10.1.0.0/32"]],
      [2, "flannel.2", []],
    ]);
    expect(vnis(valid(list, { flags: { vni: "9" }, profile: "vtep" }))).toEqual([
      [9, "vxlan9", []],
      [2, "vxlan2", []],
    ]);
    expect(vnis(valid(list))).toEqual([[2, "flannel.2", []]]);
  });

  it("have one underlay family, whichever of them says so", () => {
    const config = valid('overlays: [{ vni: 1 }, { vni: 2, remote: "fd00::2" }]');
    expect(config.overlays.map(({ family }) => family)).toEqual([6, 6]);
  });

  it("have the names of their devices for who cleans up", () => {
    const file = fileURLToPath(new URL("../../../examples/overlays.yaml", import.meta.url));
    const names = (sources: ConfigSources) => loadDeviceNames({ path: file, ...sources });
    expect(names({})).toEqual(["tenant-a", "tenant-b", "flannel.300"]);
    expect(names({ flags: { device: "x" } })).toEqual(["x"]);
    expect(names({ env: { POPLIN_VNI: "7" } })).toEqual(["flannel.7", "tenant-a", "tenant-b", "flannel.300"]);
    expect(loadDeviceNames({ path: null })).toEqual(["flannel.1"]);
  });

  it("are all in the example", () => {
    const text = readFileSync(new URL("../../../examples/overlays.yaml", import.meta.url), "utf8");
    const { overlays } = valid(text);
    expect(overlays.map(({ vni, device }) => [vni, device])).toEqual([
      [100, "tenant-a"],
      [200, "tenant-b"],
      [300, "flannel.300"],
    ]);
  });
});

describe("mistakes in overlays", () => {
  it("are all told at once, each with its place", () => {
    expect(
      mistakes(
        "overlays:\n  - vni: 2\n    tos: 999\n    port: 1\n    prot: 2\n  - device: x\n  - 7\n" +
          "  - vni: 3\n    peers: [{ publicIp: 192.168.0.2 }]\n",
      ),
    ).toEqual([
      "f:3:10: overlays[0].tos: 999 is out of range; write a whole number from 0 to 255, or `inherit`",
      "f:4:5: overlays[0].port: is one for all overlays of the agent; write it at the top level",
      "f:5:5: overlays[0].prot: there is no such setting; did you mean `port`?",
      "f:6:5: overlays[1]: has no vni; add `vni: 2`",
      "f:7:5: overlays[2]: an overlay is a map of settings; write it as `- vni: 2`",
      expect.stringContaining("overlays[3].peers[0]: has no vtepMac"),
      expect.stringContaining("overlays[3].peers[0]: has no subnet"),
    ]);
  });

  it.each([
    ["overlays: []", ["f:1:1: overlays: takes a list of overlays; write each as `- vni: 2`"]],
    ["overlay: [{ vni: 2 }]", ["f:1:1: overlay: there is no such setting; did you mean `overlays`?"]],
    [
      "overlays: [{ vni: 2, overlays: [] }]",
      [expect.stringContaining("overlays[0].overlays: there is no such")],
    ],
    [
      "vni: 2\noverlays: [{ vni: 2 }]",
      expect.arrayContaining([
        "f:2:14: overlays[0].vni: 2 is that of the top level, too; each overlay has a VNI of its own",
      ]),
    ],
    [
      "overlays: [{ vni: 2, device: flannel.3 }, { vni: 3 }]",
      [
        "default: overlays[1].device: flannel.3 is that of overlays[0], too; each overlay has a device of its own",
      ],
    ],
    ["device: x\noverlays: [{ vni: 2 }]", [expect.stringContaining("f:1:1: device: belongs to one overlay")]],
    [
      `overlays: [{ vni: 2, peers: [${peer(2)}] }, { vni: 3, peers: [${peer(3, "10.2.0.0/16")}] }]`,
      [
        expect.stringContaining(
          "overlays[1].peers[0].subnet: 10.2.0.0/16 overlaps 10.2.0.0/24 of overlays[0].peers[0]",
        ),
      ],
    ],
    [
      'overlays: [{ vni: 2, remote: 192.168.0.2 }, { vni: 3, remote: "fd00::2" }]',
      [expect.stringContaining("overlays[1].remote: fd00::2 is IPv6, and the underlay is IPv4")],
    ],
    [
      "underlay: dgram\noverlays: [{ vni: 2, group: 239.1.1.1 }, { vni: 3, group: 239.1.1.2 }]",
      [expect.stringContaining("overlays[1].group: is another group than 239.1.1.1")],
    ],
    // Of a setting that they share, once.
    ["flowlabel: 5\noverlays: [{ vni: 2 }, { vni: 3 }]", [expect.stringContaining("f:1:1: flowlabel: ")]],
  ])("%s", (text, expected) => {
    expect(mistakes(text)).toEqual(expected);
  });
});

describe("a reload of overlays", () => {
  const diff = (from: string, to: string) => diffConfig(valid(from), valid(to));

  it("names the overlay whose setting changes, and a common one once", () => {
    const changed = diff(
      `overlays: [{ vni: 2, peers: [${peer(2)}] }, { vni: 3 }]`,
      `logLevel: debug\noverlays: [{ vni: 2 }, { vni: 3, learning: true, mtu: 1400, peers: [${peer(3)}] }]`,
    );
    expect(describeDiff(changed)).toBe(
      "VNI 3 mtu: auto → 1400; logLevel: info → debug; VNI 3 learning: false → true; peers: 1 added, 1 removed",
    );
    expect(changed.restart.map(({ name, vni }) => [name, vni])).toEqual([["mtu", 3]]);
    expect(changed.live.map(({ name, vni }) => [name, vni])).toEqual([
      ["logLevel", undefined],
      ["learning", 3],
    ]);
  });

  it("needs a restart for an overlay more or less", () => {
    const { restart, live } = diff("overlays: [{ vni: 2 }]", "overlays: [{ vni: 2 }, { vni: 3 }]");
    expect(restart).toEqual([{ name: "overlays", from: "2", to: "2, 3" }]);
    expect(live).toEqual([]);
    expect(describeDiff(diff("overlays: [{ vni: 2 }, { vni: 3 }]", "vni: 2"))).toBe("overlays: 2, 3 → 2");
  });
});
