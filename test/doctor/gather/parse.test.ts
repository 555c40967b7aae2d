/** What doctor reads from /proc and from `ip`, as they print it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { attempt } from "../../../src/doctor/gather/attempt.ts";
import { parseHostLinks } from "../../../src/doctor/gather/ip.ts";
import { mapLimited } from "../../../src/doctor/gather/probes.ts";
import { counterIn, stateOf } from "../../../src/doctor/gather/proc.ts";
import { programExists } from "../../../src/doctor/gather/programs.ts";
import { effectiveCapabilities } from "../../../src/doctor/gather/rights.ts";
import { HostError } from "../../../src/host/command.ts";

it("capabilities are bits of CapEff", () => {
  const held = effectiveCapabilities("CapPrm:\t0\nCapEff:\t0000000000003000\nCapBnd:\t0\n");
  expect([11, 12, 13, 14].map(held)).toEqual([false, true, true, false]);
  expect(effectiveCapabilities("")(12)).toBe(false);
});

it("a counter is found by its name in /proc/net/netstat", () => {
  const text = "TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 0 17\nIpExt: InNoRoutes\nIpExt: 3\n";
  expect(counterIn(text, "TcpExt", "IPReversePathFilter")).toBe(17);
  expect(counterIn(text, "IpExt", "InNoRoutes")).toBe(3);
  expect(counterIn("", "TcpExt", "IPReversePathFilter")).toBe(0);
});

it("a process's state stands behind its name", () => {
  expect(stateOf(process.pid)).toMatch(/^[RS]$/);
  expect(stateOf(0)).toBe("?");
});

it("links have a carrier, a qdisc, and of VXLAN a port", () => {
  const json = [
    {},
    { ifname: "eth0", ifindex: 2, flags: ["UP", "LOWER_UP"], mtu: 1500, qdisc: "mq" },
    {
      ...{ ifname: "vx9", ifindex: 3, flags: [], mtu: 1450, qdisc: "noop" },
      linkinfo: { info_kind: "vxlan", info_data: { port: 8472 } },
    },
  ];
  expect(parseHostLinks(json)).toMatchObject([
    { name: "eth0", carrier: true, up: true, qdisc: "mq", vxlanPort: null },
    { name: "vx9", carrier: false, up: false, vxlanPort: 8472 },
  ]);
});

it("an attempt keeps the code, the reason and the remedy apart", async () => {
  expect(await attempt(() => 1)).toEqual({ code: "", message: "", remedy: "" });
  const error = new HostError("HOST_NO_UPLINK", "there is no way; do this", "do this");
  expect(
    await attempt(() => {
      throw error;
    }),
  ).toEqual({ code: "HOST_NO_UPLINK", message: "there is no way", remedy: "do this" });
});

it("a program is there where a file may be run", () => {
  const folder = mkdtempSync(join(tmpdir(), "poplin-programs-"));
  writeFileSync(join(folder, "tool"), "", { mode: 0o755 });
  expect([programExists("tool", `/nowhere:${folder}`), programExists("tool", "/nowhere:")]).toEqual([
    true,
    false,
  ]);
  rmSync(folder, { recursive: true });
});

it("work is done for all, some at a time, and its results keep their order", async () => {
  let [running, most] = [0, 0];
  const results = await mapLimited([5, 1, 4, 2, 3], 2, async (n) => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, n));
    running--;
    return n * 2;
  });
  expect([results, most]).toEqual([[10, 2, 8, 4, 6], 2]);
});
