import { describe, expect, it } from "vitest";
import { explainConfig } from "../../../src/agent/config/explain.ts";
import { KERNEL_OPTIONS } from "../../../src/agent/config/kernel-options.ts";
import { type AgentConfig, resolveConfig } from "../../../src/agent/config/load.ts";
import { formatProblem } from "../../../src/agent/config/problems.ts";
import { SETTINGS } from "../../../src/agent/config/schema.ts";

function resolve(text: string) {
  return resolveConfig({ file: { name: "f", text }, profile: "vtep" });
}

function valid(text: string): AgentConfig {
  const { config, problems } = resolve(text);
  expect(problems.map(formatProblem)).toEqual([]);
  return config!;
}

function commands(text: string): string[] {
  return explainConfig(valid(text)).commands.map((phrases) => phrases.join(" "));
}

describe("the kernel's options", () => {
  it("stand for settings that there are", () => {
    for (const { setting, why } of KERNEL_OPTIONS) {
      if (setting === null) expect(why).not.toBe(undefined);
      else expect(SETTINGS.map(({ name }) => name)).toContain(setting);
    }
  });

  it("are keys of the file, in their own words", () => {
    const text = 'id: 7\ndstport: 4789\nsrcport: "40000 50000"\nnoudpcsum: true\nnolearning:\nageing: 20\n';
    expect(valid(text)).toMatchObject({
      vni: 7,
      port: 4789,
      sourcePorts: { first: 40_000, last: 50_000 },
      udpChecksum: "zero",
      learning: false,
      ageing: 20,
      device: "vxlan7",
    });
    expect(valid("udpcsum: true\ndstport: 0")).toMatchObject({ udpChecksum: "computed", port: 8472 });
  });

  it.each([
    ["id: 7\nvni: 8", /`vni`/],
    ["vni: 8\nid: 7", /means the same as `vni`/],
    ["rsc: true", /rsc: is an option of the kernel's that poplin does not have.*neighbour table/],
    ["id: [1, 2]", /takes one value/],
    ["dstport: many", /no whole number/],
  ])("are refused as %j", (text, message) => {
    expect(resolve(text).problems.map(formatProblem).join("\n")).toMatch(message);
  });

  it("an agent learns nothing unless told to, a vtep does unless told not to", () => {
    expect(resolveConfig({}).config).toMatchObject({ learning: false, device: "flannel.1" });
    expect(resolveConfig({ profile: "vtep" }).config).toMatchObject({ learning: true, device: "vxlan1" });
    expect(valid("learning: false").learning).toBe(false);
  });

  it("whom to believe goes by how VTEPs are found", () => {
    expect(valid("remote: 192.0.2.1").senderCheck).toBe("strict");
    expect(valid("group: 239.1.1.1").senderCheck).toBe("off");
    expect(valid("group: 239.1.1.1\nsenderCheck: strict").senderCheck).toBe("strict");
    expect(valid("group: ff05::1").family).toBe(6);
    expect(valid("remote: fd00::1").family).toBe(6);
  });
});

describe("--explain", () => {
  it("is the command that makes the same device in the kernel, and what follows it", () => {
    const text =
      "vni: 100\ndevice: vx100\ndev: eth0\nlocal: 192.0.2.1\nremote: [192.0.2.2, 192.0.2.3]\nmtu: 1400\n";
    expect(
      commands(`${text}tos: 16\nttl: 9\ndf: set\nudpChecksum: zero\nvtepMac: "02:00:00:00:00:01"`),
    ).toEqual([
      "ip link add vx100 address 02:00:00:00:00:01 mtu 1400 type vxlan id 100 dev eth0 remote 192.0.2.2 " +
        "local 192.0.2.1 dstport 8472 srcport 49152 65535 ttl 9 tos 0x10 df set noudpcsum learning ageing 300 " +
        "maxaddress 65536",
      "ip link set vx100 up",
      "bridge fdb append 00:00:00:00:00:00 dev vx100 dst 192.0.2.3",
    ]);
  });

  it("has a group, addresses, and rows for peers", () => {
    const peer =
      'peers:\n  - {publicIp: 192.0.2.9, vtepMac: "02:00:00:00:00:09", subnet: 10.9.0.0/24, port: 4789}\n';
    expect(
      commands(`group: 239.1.1.1\nremote: 192.0.2.2\naddress: 10.8.0.0/32\nnolearning:\n${peer}`),
    ).toEqual([
      "ip link add vxlan1 type vxlan id 1 group 239.1.1.1 dstport 8472 srcport 49152 65535 nolearning",
      "ip link set vxlan1 up",
      "ip addr add 10.8.0.0/32 dev vxlan1",
      "bridge fdb append 00:00:00:00:00:00 dev vxlan1 dst 192.0.2.2",
      "bridge fdb add 02:00:00:00:00:09 dev vxlan1 dst 192.0.2.9 port 4789",
      "ip neigh add 10.9.0.0 lladdr 02:00:00:00:00:09 dev vxlan1",
      "ip route add 10.9.0.0/24 via 10.9.0.0 dev vxlan1 onlink",
    ]);
  });

  it("names what differs, and not what does not", () => {
    const settings = (text: string) => explainConfig(valid(text)).differences.map(({ setting }) => setting);
    expect(settings("")).toEqual([
      ...[
        "device: vxlan1",
        "mtu",
        "senderCheck: strict",
        "reservedBits: rfc",
        "sourcePorts",
        "maxaddress: 65536",
      ],
      "pmtu: icmp",
    ]);
    expect(
      settings("dev: eth0\nsenderCheck: off\nreservedBits: linux\nmaxaddress: 0\nunderlay: raw\npmtu: off"),
    ).toEqual(["device: vxlan1"]);
    expect(settings("floodRate: 10\nunderlay: dgram\nsourcePorts: fixed")).toContain("floodRate: 10");
  });
});
