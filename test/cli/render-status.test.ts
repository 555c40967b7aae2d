/** What `poplin status` prints for statuses that are known, at 80 columns. */
import { describe, expect, it } from "vitest";
import type { AgentStatus } from "../../src/agent/api/status-types.ts";
import { plain } from "../../src/cli/output.ts";
import { renderBrief, renderStatus } from "../../src/cli/render-status.ts";
import { FakeAgent, healthyStatus, offloadsWithout } from "../agent/api/fake-agent.ts";

const STYLE = { width: 80, color: false };
const NOW = Date.parse("2026-11-23T04:00:05Z");

function sickStatus(): AgentStatus {
  const { underlay } = healthyStatus();
  return healthyStatus({
    state: "degraded",
    uptime: 61,
    peers: [
      {
        publicIp: "2001:db8:1234:5678:9abc:def0:1234:5678",
        vtepMac: "aa:bb:cc:00:00:03",
        subnets: ["fd00:1234:5678:9abc::/64", "10.244.2.0/24"],
        state: "ok",
        pathMtu: null,
        lease: null,
      },
      {
        publicIp: "172.19.0.4",
        vtepMac: "aa:bb:cc:00:00:04",
        subnets: ["10.244.3.0/24"],
        state:
          "the kernel refused the route 10.244.3.0/24 via flannel.1: RTNETLINK answers: Network is unreachable",
        pathMtu: { bytes: 1400, needed: 1500, how: "probe", at: "2026-11-20T00:00:00.000Z" },
        lease: null,
      },
    ],
    underlay: {
      ...underlay,
      family: 6,
      local: "::",
      uplink: null,
      receiveBuffer: 425_984,
      sendBuffer: 0,
      warnings: ["the receive buffer is 416.0 KiB instead of 7.0 MiB"],
    },
    policy: {
      ...{ senderCheck: "off", reservedBits: "linux", tos: 0xb8, ttl: 64, df: "set" },
      ...{ flowlabel: 0xabcde, udp6zerocsumrx: true, vlan: "rfc" },
      gbp: { group: 100, dontLearn: true, applied: false },
    },
    dataplane: {
      ...{ driver: "event-loop", queues: 1, spin: "off", slots: null },
      lastGroup: { group: 7, dontLearn: true, applied: true },
    },
    offloads: offloadsWithout({
      "tap-tso": "switched off",
      "udp-gso": "the kernel refused it while packets flowed (EIO), and this reason is longer than the line",
    }),
    config: {
      file: null,
      loadedAt: "2026-11-23T03:00:05Z",
      lastReload: {
        at: "2026-11-23T03:59:00Z",
        ok: false,
        message: 'peers[1].vtepMac: "zz" is no MAC address',
      },
    },
    health: [
      { level: "error", message: "peer 172.19.0.4 has no route", remedy: "ip route show dev flannel.1" },
      { level: "info", message: "peers may send from any address", remedy: null },
    ],
  });
}

describe("status", () => {
  it("of a healthy agent, line by line", () => {
    const agent = new FakeAgent();
    agent.count("txFrames", 1_234_567);
    agent.count("txBytes", 3_221_225_472);
    agent.count("rxFrames", 1);
    agent.count("rxBytes", 98);
    expect(renderStatus(healthyStatus(), agent.statsAnswer(), STYLE, NOW)).toEqual([
      "poplin 0.1.0: running, up 3 days, 4 hours, pid 4711",
      "  device     flannel.1, VNI 1, MTU 1450, 0e:2a:11:22:33:44",
      "  address    10.244.1.0/32",
      "  underlay   batch, UDP 0.0.0.0:8472 over eth0",
      "    can      send TOS, receive TOS, DF, TTL, TTL per packet, UDP checksum",
      "             computed",
      "    cannot   source port per flow, GSO, GRO",
      "  buffers    receive 7.0 MiB, send 7.0 MiB",
      "  policy     senderCheck strict, reservedBits rfc",
      "  outer      TOS inherit, TTL auto, DF unset",
      "  offloads   all on",
      "  dataplane  worker, 1 queue, spin auto, slots free: 256 of 256 tx, 31 of 32 rx",
      "  traffic    3.0 GiB in 1,234,567 frames sent, 98 B in 1 frame received, 0",
      "             dropped",
      "  memory     61.2 MiB",
      "  config     /etc/poplin/node.yaml, loaded 3 days, 4 hours ago",
      "",
      "2 peers",
      "  PUBLIC IP   VTEP MAC           SUBNET         STATE",
      "  172.19.0.3  aa:bb:cc:00:00:03  10.244.2.0/24  ok",
      "  172.19.0.4  aa:bb:cc:00:00:04  10.244.3.0/24  ok",
      "                                 10.244.4.0/24",
      "",
      "health: ok",
    ]);
  });

  it("says of a VTEP what it learns and where it floods, and which paths are narrow", () => {
    const pathMtu = { bytes: 1400, needed: 1500, how: "probe", at: "2026-11-20T00:00:00.000Z" } as const;
    const remotes = [
      { address: "172.19.0.3", pathMtu },
      { address: "172.19.0.4", pathMtu: null },
    ];
    const status = healthyStatus({
      peers: [],
      flooding: { group: null, remotes, rate: 10_000 },
      learning: { on: true, ageing: 300, maxaddress: 65_536 },
      proxy: true,
    });
    const lines = renderStatus(status, null, STYLE, NOW);
    expect(lines).toContain("  learning   on, for 300 seconds, 65,536 rows at most");
    expect(lines).toContain("  flooding   to 2 remotes, 10,000 frames a second");
    expect(lines).toContain("  proxy      answers ARP and neighbour solicitations");
    expect(lines.slice(lines.indexOf("2 remotes: 172.19.0.3, 172.19.0.4"))).toEqual([
      "2 remotes: 172.19.0.3, 172.19.0.4",
      "    172.19.0.3: path MTU 1400 (probe), 1500 needed",
      "",
      "health: ok",
    ]);
    const grouped = renderStatus(
      { ...status, flooding: { group: "239.1.1.1", remotes: [], rate: 0 } },
      null,
      STYLE,
      NOW,
    );
    expect(grouped).toContain("  flooding   to 239.1.1.1");
    expect(grouped.join("\n")).not.toContain("no peers");
  });

  it("of a sick one says what is wrong and what to do, within 80 columns", () => {
    const lines = renderStatus(sickStatus(), null, STYLE, NOW);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
    const text = lines.join("\n");
    expect(lines[0]).toBe("poplin 0.1.0: degraded, up 1 minute, 1 second, pid 4711");
    expect(lines).toContain("  underlay   batch, UDP [::]:8472");
    expect(lines).toContain("  buffers    receive 416.0 KiB, send unknown");
    const policy = lines.findIndex((line) => line.startsWith("  policy"));
    expect(lines.slice(policy, policy + 4)).toEqual([
      "  policy     senderCheck off, reservedBits linux, vlan rfc, zero UDP checksums",
      "             accepted over IPv6",
      "  outer      TOS 0xb8, TTL 64, DF set, flow label 0xabcde",
      "  group      100 (don't learn) sent, last received: 7 (don't learn, applied)",
    ]);
    expect(text).toMatch(/^ {4}cannot +flow label, receive zero UDP checksums, /m);
    expect(lines).toContain("  dataplane  event-loop");
    const offloads = lines.findIndex((line) => line.startsWith("  offloads"));
    expect(lines.slice(offloads, offloads + 4)).toEqual([
      "  offloads   tap-csum, tap-uso, udp-gro, tcp-coalesce, udp-coalesce",
      "    off      tap-tso: switched off",
      "    off      udp-gso: the kernel refused it while packets flowed (EIO), and this",
      "             reason is longer than the line",
    ]);
    expect(lines).toContain("  config     flags and environment, loaded 1 hour ago");
    expect(text).toContain("  reload     failed 1 minute, 5 seconds ago: peers[1].vtepMac");
    expect(lines.slice(lines.indexOf("2 peers"))).toEqual([
      "2 peers",
      "  PUBLIC IP                               VTEP MAC           STATE",
      "  2001:db8:1234:5678:9abc:def0:1234:5678  aa:bb:cc:00:00:03  ok",
      "      fd00:1234:5678:9abc::/64, 10.244.2.0/24",
      "  172.19.0.4                              aa:bb:cc:00:00:04  failed",
      "      10.244.3.0/24",
      "      the kernel refused the route 10.244.3.0/24 via flannel.1: RTNETLINK",
      "      answers: Network is unreachable",
      "      path MTU 1400 (probe), 1500 needed",
      "",
      "health",
      "  error    peer 172.19.0.4 has no route",
      "           → ip route show dev flannel.1",
      "  info     peers may send from any address",
      "  warning  the receive buffer is 416.0 KiB instead of 7.0 MiB",
    ]);
    expect(text).not.toContain("traffic");
  });

  it("does not say a warning twice", () => {
    const message = "the receive buffer is 416.0 KiB instead of 7.0 MiB";
    const { underlay } = sickStatus();
    const status = healthyStatus({ underlay, health: [{ level: "warning", message, remedy: "sysctl …" }] });
    const lines = renderStatus(status, null, STYLE, NOW);
    expect(lines.filter((line) => line.includes("416.0 KiB instead"))).toEqual([`  warning  ${message}`]);
    expect(lines.at(-1)).toBe("           → sysctl …");
  });

  it("points to the drops when there are any", () => {
    const agent = new FakeAgent();
    agent.drop("tx", "NO_TX_TARGET", 2);
    agent.drop("rx", "LOCAL_MAC", 1);
    const text = renderStatus(healthyStatus(), agent.statsAnswer(), STYLE, NOW)
      .join(" ")
      .replace(/\s+/g, " ");
    expect(text).toContain("3 dropped (`poplin stats` says why)");
  });

  it("of one that is starting leaves out what nobody knows yet", () => {
    const { device, underlay } = healthyStatus();
    const status = healthyStatus({
      state: "starting",
      uptime: 0.1,
      device: { ...device, mac: "", mtu: 0, addresses: [] },
      underlay: { ...underlay, local: "", uplink: null, receiveBuffer: 0, sendBuffer: 0 },
      dataplane: { driver: "worker", queues: 1, spin: "auto", slots: null, lastGroup: null },
      peers: [],
    });
    expect(renderStatus(status, null, STYLE, NOW).slice(0, 5)).toEqual([
      "poplin 0.1.0: starting, up 0 seconds, pid 4711",
      "  device     flannel.1, VNI 1",
      "  address    none",
      "  underlay   batch, UDP port 8472",
      "  policy     senderCheck strict, reservedBits rfc",
    ]);
  });

  it("without peers says what that means", () => {
    const lines = renderStatus(healthyStatus({ peers: [] }), null, STYLE, NOW);
    expect(lines).toContain("no peers: nothing is forwarded but what rows by hand say (`poplin fdb show`)");
  });

  it("in colour has the same words in the same places", () => {
    for (const status of [healthyStatus(), sickStatus()]) {
      const colored = renderStatus(status, null, { ...STYLE, color: true }, NOW);
      expect(colored.map(plain)).toEqual(renderStatus(status, null, STYLE, NOW));
      expect(colored.join("")).toContain("\u001b[");
    }
  });

  it("--brief is one line when all is well, and the reasons when not", () => {
    expect(renderBrief(healthyStatus(), STYLE)).toEqual([
      "ok: running, up 3 days, 4 hours, flannel.1, VNI 1, 2 peers",
    ]);
    const lines = renderBrief(sickStatus(), STYLE);
    expect(lines[0]).toBe("not ok: degraded, up 1 minute, 1 second, flannel.1, VNI 1, 2 peers");
    expect(lines).toContain("  the agent is degraded");
    expect(lines).toContain("  peer 172.19.0.4 has no route");
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  });
});
