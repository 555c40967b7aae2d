import { describe, expect, it } from "vitest";
import { describeDiff, describeDiffs, diffConfig, restartNeeded } from "../../../src/agent/config/diff.ts";
import { type AgentConfig, resolveConfig } from "../../../src/agent/config/load.ts";
import { SETTINGS } from "../../../src/agent/config/schema.ts";

const config = (text = "", name = "f"): AgentConfig => resolveConfig({ file: { name, text } }).config!;
const peer = (n: number, subnet = `10.244.${n}.0/24`): string =>
  `- { publicIp: 192.168.0.${n}, vtepMac: 0e:2a:00:00:00:0${n}, subnet: ${subnet} }\n`;

describe("diffConfig", () => {
  it("finds nothing between equals, wherever the values stand", () => {
    const diff = diffConfig(
      config("tos: 4\naddress: [10.1.0.0/32, 10.2.0.0/32]"),
      config("\naddress: [10.2.0.0/32, 10.1.0.0/32]\ntos: 0x4", "g"),
    );
    expect(diff).toEqual({
      live: [],
      restart: [],
      peers: { added: [], removed: [], changed: [] },
      same: true,
    });
    expect(describeDiff(diff)).toBe("nothing changed");
  });

  it("tells what can change while packets flow from what cannot", () => {
    const other: Record<string, string> = {
      vni: "2",
      device: "tap7",
      address: "10.244.1.0/32",
      mtu: "1400",
      vtepMac: "0e:2a:00:00:00:09",
      local: "192.168.0.1",
      dev: "eth7",
      remote: "192.168.0.9",
      group: "239.1.1.1",
      floodRate: "1000",
      learning: "true",
      ageing: "20",
      maxaddress: "10",
      port: "4789",
      underlay: "dgram",
      senderCheck: "off",
      reservedBits: "linux",
      tos: "inherit",
      ttl: "9",
      df: "set",
      udpChecksum: "zero",
      receiveBuffer: "1MiB",
      sendBuffer: "1MiB",
      sourcePorts: "fixed",
      offload: "tap-tso=off",
      queues: "2",
      spin: "off",
      flowlabel: "0xabcde",
      udp6zerocsumrx: "true",
      vlan: "rfc",
      gbp: "100,dontLearn",
      proxy: "true",
      proxyUnknown: "forward",
      neighbours: "10.0.0.5 lladdr 02:00:00:00:00:05",
      l2miss: "true",
      l3miss: "true",
      pmtu: "off",
      pmtuProbe: "60",
      socket: "/tmp/x",
      ephemeral: "true",
      logLevel: "debug",
      logFormat: "json",
      healthAddress: "127.0.0.1:9472",
    };
    for (const { name, reload, shape } of SETTINGS) {
      if (shape === "peers") continue;
      // The flow label is IPv6's; a group changes whom to believe where nobody says it.
      const special: Record<string, string> = { flowlabel: "local: fd00::1", group: "senderCheck: strict" };
      const base = special[name] ?? "ephemeral: false";
      const rest = ["device: tap0", base].filter((line) => !line.startsWith(`${name}:`)).join("\n");
      const { live, restart, same } = diffConfig(
        config(`device: tap0\n${base}`),
        config(`${rest}\n${name}: ${other[name]}`),
      );
      expect(same).toBe(false);
      expect((reload === "live" ? live : restart).map((change) => change.name)).toEqual([name]);
      expect(reload === "live" ? restart : live).toEqual([]);
    }
    const live = SETTINGS.filter(({ reload }) => reload === "live").map(({ name }) => name);
    expect(live).toEqual([
      ...[
        "address",
        "remote",
        "floodRate",
        "learning",
        "ageing",
        "maxaddress",
        "senderCheck",
        "reservedBits",
      ],
      ...[
        "tos",
        "vlan",
        "gbp",
        "proxy",
        "proxyUnknown",
        "neighbours",
        "l2miss",
        "l3miss",
        "pmtu",
        "pmtuProbe",
      ],
      ...["ephemeral", "logLevel", "logFormat", "peers"],
    ]);
  });

  it("finds peers that come, go and change", () => {
    const diff = diffConfig(
      config(`peers:\n${peer(2)}${peer(3)}${peer(4, "[10.4.0.0/24, 10.5.0.0/24]")}`),
      config(`peers:\n${peer(4, "[10.5.0.0/24, 10.4.0.0/24]")}${peer(3, "10.99.3.0/24")}${peer(5)}`),
    );
    expect(diff.peers.added.map(({ publicIp }) => publicIp)).toEqual(["192.168.0.5"]);
    expect(diff.peers.removed.map(({ publicIp }) => publicIp)).toEqual(["192.168.0.2"]);
    expect(diff.peers.changed.map(({ from, to }) => [from.subnets, to.subnets])).toEqual([
      [["10.244.3.0/24"], ["10.99.3.0/24"]],
    ]);
    expect(describeDiff(diff)).toBe("peers: 1 added, 1 removed, 1 changed");
  });

  it("compares what is written in several ways by what it means", () => {
    const same = ["offload: tap-tso=off", "offload: { tap-tso: off }", "offload: [all=on, tap-tso=off]"];
    for (const text of same) expect(diffConfig(config(same[0]), config(text)).same).toBe(true);
    const ports = config("sourcePorts: 49152 - 65535");
    expect(diffConfig(config(), ports).same).toBe(true);
    expect(describeDiff(diffConfig(ports, config("sourcePorts: fixed\noffload: all=off\nspin: 20")))).toBe(
      "sourcePorts: 49152-65535 → fixed; offload: all=on → all=off; spin: auto → 20",
    );
  });

  it("says it in a line", () => {
    const diff = diffConfig(
      config("mtu: 1400"),
      config(`senderCheck: mac\naddress: 10.1.0.0/32\npeers:\n${peer(2)}`),
    );
    expect(describeDiff(diff)).toBe(
      "mtu: 1400 → auto; address: none → 10.1.0.0/32; senderCheck: strict → mac; peer: 1 added",
    );
  });

  it("a family that changes with the peers needs a restart", () => {
    const six = peer(2).replace("192.168.0.2", "fd00::2");
    const { restart } = diffConfig(config(`peers:\n${peer(2)}`), config(`peers:\n${six}`));
    expect(restart).toEqual([{ name: "local", from: "IPv4", to: "IPv6" }]);
  });
});

describe("two underlays", () => {
  const dual = (four = "", six = "", name = "f") => [
    config(`device: flannel.1\n${four}`, name),
    config(`device: flannel-v6.1\nlocal: fd00::1\n${six}`, name),
  ];

  it("say whose a change is", () => {
    expect(describeDiffs(dual(), dual("", "", "g"))).toBe("nothing changed");
    expect(describeDiffs(dual(), dual("learning: true", "ageing: 20"))).toBe(
      "flannel.1: learning: false → true; flannel-v6.1: ageing: 300 → 20",
    );
    expect(restartNeeded(dual(), dual("learning: true"))).toBeNull();
  });

  it("need a restart where one of them does, or where there are more or fewer", () => {
    expect(restartNeeded(dual(), dual("learning: true", "port: 4789"))).toBe(
      "flannel.1: learning: false → true; flannel-v6.1: port: 8472 → 4789; restart the agent to change port",
    );
    expect(restartNeeded(dual(), dual().slice(1))).toBe(
      "underlays: 2 → 1; restart the agent to change their number",
    );
  });

  it("one alone is not named", () => {
    expect(describeDiffs([config()], [config("ageing: 20")])).toBe("ageing: 300 → 20");
  });
});
