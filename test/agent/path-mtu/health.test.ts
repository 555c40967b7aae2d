import { expect, it } from "vitest";
import type { RemoteStatus } from "../../../src/agent/api/status-types.ts";
import { narrowPaths } from "../../../src/agent/path-mtu/health.ts";

function peer(last: number, bytes: number | null): RemoteStatus {
  const pathMtu =
    bytes === null ? null : { bytes, needed: 1500, how: "probe" as const, at: "2026-11-20T00:00:00.000Z" };
  return { address: `172.19.0.${last}`, pathMtu };
}

it("says what is narrow, who has it, and which MTU would do", () => {
  expect(
    narrowPaths([peer(3, 1400), peer(4, 1500), peer(5, null), peer(6, 1400), peer(7, 1480)], 1450, "icmp"),
  ).toEqual([
    {
      level: "warning",
      message:
        "the path to 172.19.0.3 and 1 more carries 1400 bytes, the overlay's MTU of 1450 needs 1500: pods are told to send less",
      remedy: "set `mtu: 1350` to avoid it",
    },
    {
      level: "warning",
      message:
        "the path to 172.19.0.7 carries 1480 bytes, the overlay's MTU of 1450 needs 1500: pods are told to send less",
      remedy: "set `mtu: 1430` to avoid it",
    },
  ]);
});

it("says what happens where nothing is done about it", () => {
  expect(narrowPaths([peer(3, 1400)], 1450, "off")[0]!.message).toMatch(
    /larger packets are fragmented or lost$/,
  );
  expect(narrowPaths([peer(3, 1500)], 1450, "icmp")).toEqual([]);
});
