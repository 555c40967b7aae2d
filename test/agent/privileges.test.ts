import { expect, it } from "vitest";
import { loadConfig } from "../../src/agent/config/load.ts";
import { neededBy } from "../../src/agent/privileges.ts";

function names(
  flags: Record<string, unknown>,
  firewall: "iptables" | "nftables" | null,
  pings: boolean,
): string[] {
  const { config } = loadConfig({ path: null, env: {}, flags: { address: "10.1.0.1/32", ...flags } });
  return [...new Set(neededBy([config], firewall, pings).map(({ capability }) => capability))];
}

it("an agent needs CAP_NET_ADMIN, and CAP_NET_RAW for what is done by raw sockets", () => {
  const off = { pmtuProbe: "off" };
  expect(names(off, null, false)).toEqual(["CAP_NET_ADMIN"]);
  expect(names({}, null, true)).toEqual(["CAP_NET_ADMIN"]);
  expect(names({}, null, false)).toEqual(["CAP_NET_ADMIN", "CAP_NET_RAW"]);
  expect(names({ ...off, underlay: "raw" }, null, true)).toEqual(["CAP_NET_ADMIN", "CAP_NET_RAW"]);
  expect(names(off, "iptables", true)).toEqual(["CAP_NET_ADMIN", "CAP_NET_RAW"]);
  expect(names(off, "nftables", true)).toEqual(["CAP_NET_ADMIN"]);
});

it("a port below those that anybody may have needs CAP_NET_BIND_SERVICE", () => {
  expect(names({ pmtuProbe: "off", port: "789" }, null, true)).toEqual([
    "CAP_NET_ADMIN",
    "CAP_NET_BIND_SERVICE",
  ]);
});
