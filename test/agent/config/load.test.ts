import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { flagDeclarations } from "../../../src/agent/config/flags.ts";
import { type ConfigTexts, loadConfig, resolveConfig } from "../../../src/agent/config/load.ts";
import { ConfigError, formatPlace, formatProblem } from "../../../src/agent/config/problems.ts";
import { settingsReference } from "../../../src/agent/config/reference.ts";
import { SETTINGS, type SettingName, settingOf } from "../../../src/agent/config/schema.ts";
import { everyOffload, OFFLOAD_NAMES, usualOffloads } from "../../../src/dataplane/offloads.ts";

function fromText(text: string, more: Omit<ConfigTexts, "file"> = {}) {
  return resolveConfig({ file: { name: "node.yaml", text }, ...more });
}

/** Options as `poplin agent` would parse them. */
function parseFlags(...args: string[]): Record<string, unknown> {
  const command = new Command().exitOverride();
  for (const { flags, description } of SETTINGS.flatMap((setting) => flagDeclarations(setting)))
    command.option(flags, description);
  return command.parse(args, { from: "user" }).opts();
}

describe("what nobody gives", () => {
  it("is the default", () => {
    const { config, problems, warnings } = resolveConfig({});
    expect([problems, warnings]).toEqual([[], []]);
    expect(config).toMatchObject({
      vni: 1,
      device: "flannel.1",
      address: [],
      mtu: null,
      vtepMac: null,
      local: null,
      port: 8472,
      underlay: "batch",
      senderCheck: "strict",
      reservedBits: "rfc",
      tos: 0,
      ttl: "auto",
      df: "unset",
      udpChecksum: "computed",
      receiveBuffer: 8 * 2 ** 20,
      sendBuffer: 8 * 2 ** 20,
      sourcePorts: { first: 49152, last: 65535 },
      offload: usualOffloads(),
      queues: "auto",
      spin: "auto",
      flowlabel: 0,
      udp6zerocsumrx: false,
      vlan: "pass",
      gbp: "off",
      pmtu: "icmp",
      pmtuProbe: 600,
      socket: "/run/poplin/agent.sock",
      ephemeral: false,
      logLevel: "info",
      peers: [],
      family: 4,
      file: null,
    });
    for (const place of Object.values(config!.origins)) expect(place).toEqual({ source: "default" });
  });

  it.each(["", "\n", "# nothing\n", "---\n", "{}", "peers:\n"])("in a file with %j too", (text) => {
    expect(fromText(text)).toMatchObject({ config: { vni: 1, peers: [] }, problems: [], warnings: [] });
  });
});

describe("where a value comes from", () => {
  const text = "senderCheck: mac\ntos: 16\nport: 4789\n";

  it("flag before environment before file before default, and its origin is kept", () => {
    const { config } = fromText(text, {
      env: { POPLIN_TOS: "32", POPLIN_PORT: "1000" },
      flags: { port: "2000" },
    });
    expect(config).toMatchObject({ senderCheck: "mac", tos: 32, port: 2000, vni: 1 });
    const origin = (name: SettingName): string => formatPlace(config!.origins[name]);
    expect([origin("senderCheck"), origin("tos"), origin("port"), origin("vni")]).toEqual([
      "node.yaml:1:1",
      "POPLIN_TOS",
      "--port",
      "default",
    ]);
  });

  it("JSON is YAML", () => {
    const json = JSON.stringify({
      vni: 7,
      peers: [{ publicIp: "fd00:10::2", vtepMac: "0e:2a:00:00:00:02", subnet: "fd00:2::/64" }],
    });
    expect(fromText(json).config).toMatchObject({
      vni: 7,
      device: "flannel.7",
      family: 6,
      peers: [{ port: 8472 }],
    });
  });

  it("every setting but the peers can be a flag and a variable, and reads the same from all three", () => {
    for (const { name, env, example, shape } of SETTINGS) {
      if (shape === "peers") continue;
      const plain = example.replace(/^"|"$/g, "");
      const file = fromText(`${name}: ${example}`);
      expect(file.problems.map(formatProblem)).toEqual([]);
      const variable = resolveConfig({ env: { [env!]: plain } });
      expect(variable.config?.[name]).toEqual(file.config![name]);
      expect(resolveConfig({ flags: { [name]: plain } }).config?.[name]).toEqual(file.config![name]);
    }
  });

  it("flags as commander parses them", () => {
    const flags = parseFlags(
      "--vni",
      "7",
      "--no-ephemeral",
      "--offload",
      "all=off,tap-csum=on",
      "--offload",
      "udp-gro=on",
      "--address",
      "10.1.0.0/32",
      "10.2.0.0/32,fd00::1/128",
    );
    expect(resolveConfig({ flags }).config).toMatchObject({
      vni: 7,
      device: "flannel.7",
      offload: { ...everyOffload(false), "tap-csum": true, "udp-gro": true },
      ephemeral: false,
      address: ["10.1.0.0/32", "10.2.0.0/32", "fd00::1/128"],
    });
    expect(resolveConfig({ flags: parseFlags() }).config).toMatchObject({ ephemeral: false });
    const stronger = { flags: parseFlags("--ephemeral"), env: { POPLIN_EPHEMERAL: "off" } };
    expect(resolveConfig(stronger).config?.ephemeral).toBe(true);
  });

  it.each([
    "offload: [tap-tso=off, udp-gso=off]",
    "offload: tap-tso=off, udp-gso=off",
    "offload: { tap-tso: off, udp-gso: false }",
    "offload: [all=off, all=on, 'tap-tso=off,udp-gso = no']",
    "offload:\n  - tap-tso=off\n  - udp-gso=on\n  - udp-gso=off",
  ])("offloads as %j", (text) => {
    const { config, problems } = fromText(text);
    expect(problems.map(formatProblem)).toEqual([]);
    expect(config?.offload).toEqual({ ...usualOffloads(), "tap-tso": false, "udp-gso": false });
  });

  it("offloads: the variable takes commas, and what it gives replaces what the file gives", () => {
    const { config } = fromText("offload: all=off", { env: { POPLIN_OFFLOAD: "tap-csum=off, udp-gro=off" } });
    expect(config?.offload).toEqual({ ...usualOffloads(), "tap-csum": false, "udp-gro": false });
  });

  it.each([
    ["sourcePorts: fixed", { sourcePorts: "fixed" }],
    ["sourcePorts: 1024-1024", { sourcePorts: { first: 1024, last: 1024 } }],
    ["queues: 16", { queues: 16 }],
    ["spin: off", { spin: "off" }],
    ["spin: false", { spin: "off" }],
    ["spin: 1000", { spin: 1000 }],
    ["pmtu: off", { pmtu: "off" }],
    ["pmtuProbe: off", { pmtuProbe: "off" }],
    ["pmtuProbe: 60", { pmtuProbe: 60 }],
  ])("%s", (text, expected) => {
    expect(fromText(text).config).toMatchObject(expected);
  });

  it("lists: the stronger place replaces, it does not add", () => {
    const { config } = fromText("address: [10.1.0.0/32, 10.2.0.0/32]", {
      env: { POPLIN_ADDRESS: "10.3.0.0/32, 10.4.0.0/32" },
    });
    expect(config?.address).toEqual(["10.3.0.0/32", "10.4.0.0/32"]);
  });

  it("values are kept in canonical form", () => {
    const { config } = fromText(
      'vtepMac: 0E-2A-00-00-00-01\nlocal: FD00:0::0001\ntos: 0x10\nreceiveBuffer: 1.5MiB\npeers: [{publicIp: "fd00::0:2", vtepMac: 0E:2A:00:00:00:02, subnet: ["FD00:2:0::/64"], port: 4789}]',
    );
    expect(config).toMatchObject({
      vtepMac: "0e:2a:00:00:00:01",
      local: "fd00::1",
      tos: 16,
      receiveBuffer: 1.5 * 2 ** 20,
      peers: [{ publicIp: "fd00::2", vtepMac: "0e:2a:00:00:00:02", subnets: ["fd00:2::/64"], port: 4789 }],
    });
  });

  it("anchors and aliases are followed", () => {
    const aliased = "local: &us 192.168.0.1\ndevice: &name tap0\naddress: [10.1.0.0/32]\nsocket: *name\n";
    expect(fromText(aliased).config).toMatchObject({ device: "tap0", socket: "tap0" });
  });
});

describe("the environment", () => {
  it("what Kubernetes sets for a Service called poplin is ignored, with a word about it", () => {
    const env = {
      POPLIN_PORT: "tcp://10.0.0.1:80",
      POPLIN_SERVICE_HOST: "10.0.0.1",
      POPLIN_PORT_80_TCP: "tcp://10.0.0.1:80",
    };
    const { config, warnings } = resolveConfig({ env });
    expect(config?.port).toBe(8472);
    expect(warnings.map(formatProblem)).toEqual([
      'POPLIN_PORT: port: "tcp://10.0.0.1:80" comes from Kubernetes, for a Service called poplin, and is ignored; set enableServiceLinks: false in the pod',
    ]);
  });

  it("a variable that resembles one of ours is pointed out, others are not", () => {
    const { config, warnings } = resolveConfig({
      env: { POPLIN_SENDERCHECK: "off", POPLIN_FULL: "1", PATH: "/bin", POPLIN_MTU: "" },
    });
    expect(config?.senderCheck).toBe("strict");
    expect(warnings.map(formatProblem)).toEqual([
      "POPLIN_SENDERCHECK: is no setting of poplin's; did you mean POPLIN_SENDER_CHECK?",
    ]);
  });
});

describe("loadConfig", () => {
  const folder = mkdtempSync(join(tmpdir(), "poplin-config-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("reads a file", () => {
    const path = join(folder, "node.yaml");
    writeFileSync(path, "vni: 42\n");
    const { config, warnings } = loadConfig({ path });
    expect(config).toMatchObject({
      vni: 42,
      file: path,
      origins: { vni: { file: path, line: 1, column: 1 } },
    });
    expect(warnings).toEqual([]);
  });

  it("throws every mistake at once, also those beside a file that cannot be read", () => {
    const path = join(folder, "missing.yaml");
    try {
      loadConfig({ path, env: { POPLIN_TTL: "256" }, flags: { vni: "x" } });
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      expect((error as ConfigError).problems).toHaveLength(3);
      expect((error as ConfigError).message.split("\n")).toEqual([
        "the configuration has 3 mistakes:",
        `  ${path}: there is no such file; examples/node-a.yaml is one to start from`,
        "  POPLIN_TTL: ttl: 256 is out of range; write a whole number from 1 to 255, or `inherit`, or `auto`",
        '  --vni: vni: "x" is no whole number; write a whole number from 0 to 16777215',
      ]);
    }
  });

  it("a directory is no file", () => {
    expect(() => loadConfig({ path: folder })).toThrow(/this is a directory/);
  });
});

describe("the table of settings", () => {
  it("has defaults that it would accept", () => {
    for (const { name, shape, fallback, read, format } of SETTINGS) {
      if (shape !== "scalar" || fallback === null) continue;
      expect(read(format(fallback))).toEqual({ ok: true, value: settingOf(name).fallback });
    }
  });

  it("says every set of offloads in words that it would read", () => {
    const sets = fc.record(Object.fromEntries(OFFLOAD_NAMES.map((name) => [name, fc.boolean()])));
    fc.assert(
      fc.property(sets, (offload) => {
        const text = settingOf("offload").format(offload);
        expect(fromText(`offload: ${text}`).config?.offload).toEqual(offload);
      }),
    );
  });

  it("is what docs/configuration.md says", async () => {
    await expect(settingsReference()).toMatchFileSnapshot("../../../docs/configuration.md");
  });

  it("any valid configuration survives the way through YAML", () => {
    const settings = fc.record(
      {
        vni: fc.nat(9_999_999),
        device: fc
          .stringMatching(/^[a-z][a-z0-9_.-]{0,13}$/)
          .filter((name) => !["lo", "all", "default"].includes(name)),
        mtu: fc.integer({ min: 1280, max: 65485 }),
        port: fc.integer({ min: 1, max: 65535 }),
        underlay: fc.constantFrom("batch", "dgram", "raw"),
        senderCheck: fc.constantFrom("strict", "mac", "off"),
        tos: fc.oneof(fc.constant("inherit"), fc.nat(255)),
        ttl: fc.oneof(fc.constant("auto"), fc.integer({ min: 1, max: 255 })),
        receiveBuffer: fc.integer({ min: 4096, max: 1023 * 2 ** 20 }),
        ephemeral: fc.boolean(),
        queues: fc.oneof(fc.constant("auto"), fc.integer({ min: 1, max: 16 })),
        spin: fc.oneof(fc.constantFrom("auto", "off"), fc.nat(1000)),
        peers: fc.uniqueArray(fc.nat(200), { maxLength: 20 }).map((numbers) =>
          numbers.map((n) => ({
            publicIp: `192.168.0.${n + 1}`,
            vtepMac: `0e:2a:00:00:01:${n.toString(16).padStart(2, "0")}`,
            subnet: n % 2 === 0 ? `10.244.${n}.0/24` : [`10.244.${n}.0/24`, `fd00:${n}::/64`],
          })),
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(settings, (given) => {
        const { config, problems } = fromText(stringify(given));
        expect(problems.map(formatProblem)).toEqual([]);
        const { peers = [], ...others } = given;
        expect(config).toMatchObject(others);
        expect(config!.peers).toEqual(
          peers.map(({ publicIp, vtepMac, subnet }) => ({
            publicIp,
            vtepMac,
            subnets: [subnet].flat(),
            port: given.port ?? 8472,
          })),
        );
      }),
    );
  });
});
