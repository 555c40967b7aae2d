/** What an operator hears of an agent with two underlays. */
import { describe, expect, it } from "vitest";
import { resolveConfig } from "../../src/agent/config/load.ts";
import { type HealthParts, healthLines } from "../../src/agent/health.ts";
import type { CarrierParts } from "../../src/agent/look.ts";
import { healthyStatus } from "./api/fake-agent.ts";

const RUNNING = { overlays: [] } as unknown as NonNullable<CarrierParts["running"]>;
const HEALTH = { lastRefused: { tx: { errno: 0, at: 0 }, rx: { errno: 0, at: 0 } } } as NonNullable<
  CarrierParts["health"]
>;

function carrier(device: string, changes: Partial<CarrierParts> = {}): CarrierParts {
  const { config } = resolveConfig({ file: { name: "f", text: `device: ${device}` } });
  return { config: config!, running: RUNNING, paths: undefined, health: HEALTH, wrong: [], ...changes };
}

function lines(carriers: CarrierParts[], changes: Partial<HealthParts> = {}) {
  const parts = { carriers, lastReload: null, started: true, stopping: false, ...changes };
  const overlays = carriers.map(() => healthyStatus().overlays);
  return healthLines(parts, overlays).map(({ level, message }) => `${level}: ${message}`);
}

const lost = (device: string) => carrier(device, { running: undefined, health: null });

describe("the health of two underlays", () => {
  it("is silent when all is well, while the agent starts or ends, and while nothing is open", () => {
    expect(lines([carrier("flannel.1"), carrier("flannel-v6.1")])).toEqual([]);
    expect(lines([carrier("flannel.1"), lost("flannel-v6.1")], { started: false })).toEqual([]);
    expect(lines([carrier("flannel.1"), lost("flannel-v6.1")], { stopping: true })).toEqual([]);
    expect(lines([lost("flannel.1"), lost("flannel-v6.1")])).toEqual([]);
  });

  it("says which is being made anew", () => {
    expect(lines([lost("flannel.1"), carrier("flannel-v6.1")])).toEqual([
      "error: flannel.1 forwards nothing: it is made anew",
    ]);
  });

  it("says which dataplane does not answer, and whose datagrams are refused", () => {
    const refusing = {
      ...HEALTH,
      lastRefused: { ...HEALTH.lastRefused, tx: { errno: 101, at: Date.now() } },
    };
    const six = carrier("flannel-v6.1", { health: refusing });
    expect(lines([carrier("flannel.1", { health: null }), six])).toEqual([
      "error: the dataplane of flannel.1 does not answer",
      "warning: the underlay of flannel-v6.1 refused datagrams, last with ENETUNREACH",
    ]);
    expect(lines([carrier("flannel.1", { health: null })])).toEqual(["error: the dataplane does not answer"]);
  });
});
