/** What `poplin ping` prints for layers that are known, at 80 columns. */
import { expect, it } from "vitest";
import { renderPing } from "../../src/cli/render-ping.ts";
import type { Layer } from "../../src/doctor/ping/layers.ts";
import { findTarget } from "../../src/doctor/ping/target.ts";
import { healthyStatus } from "../agent/api/fake-agent.ts";

const STYLE = { width: 80, color: false };
const target = findTarget("172.19.0.3", healthyStatus())!;

const layers: readonly Layer[] = [
  {
    ...{ name: "underlay", state: "ok", text: "3 of 3 echo requests answered by 172.19.0.3", remedy: null },
    time: { min: 0.1234, avg: 12.345, max: 123.45 },
  },
  { name: "udp", state: "unknown", text: "no refusal from port 8472", remedy: null, time: null },
  { name: "vxlan", state: "fail", text: "nothing came back", remedy: "poplin stats", time: null },
  { name: "inner", state: "skipped", text: "no address inside is known", remedy: null, time: null },
  { name: "mtu", state: "narrow", text: "underlay 1400 bytes", remedy: "set `mtu: 1350`", time: null },
];

it("has a line for each layer, and below one that fails the next command", () => {
  expect(renderPing(target, 8472, layers, STYLE)).toEqual([
    "peer 172.19.0.3, aa:bb:cc:00:00:03, 10.244.2.0/24, by flannel.1 (VNI 1)",
    "  underlay  ok     0.123/12.3/123 ms, 3 of 3 echo requests answered by",
    "                   172.19.0.3",
    "  UDP 8472  ?      no refusal from port 8472",
    "  VXLAN     FAIL   nothing came back",
    "                   → poplin stats",
    "  inner     -      no address inside is known",
    "  MTU       narrow underlay 1400 bytes",
    "                   → set `mtu: 1350`",
  ]);
});

it("has colours for a terminal only, and the name of a lease before the address", () => {
  expect(renderPing(target, 8472, layers, { ...STYLE, color: true }).join("\n")).toContain("\u001b[31mFAIL");
  const named = { ...target, name: "node-3" };
  expect(renderPing(named, 8472, layers, STYLE)[0]).toMatch(/^peer node-3, 172\.19\.0\.3, /);
});
