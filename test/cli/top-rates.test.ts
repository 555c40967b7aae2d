/** Rates out of counters. */
import { describe, expect, it } from "vitest";
import { dropRate, type Rates, ratesBetween, type Sample } from "../../src/cli/top-rates.ts";
import { FakeAgent, healthyStatus } from "../agent/api/fake-agent.ts";

const agent = new FakeAgent();

function sample(at: number, changes: Partial<Sample> = {}): Sample {
  const stats = agent.statsAnswer();
  const devices = [{ dev: "flannel.1", vni: 1, stats, fdb: 3 }];
  return { at, status: healthyStatus(), meant: 1, total: stats, devices, threads: [], ...changes };
}

function moved(seconds: number, changes: Partial<Sample> = {}): Rates | null {
  const before = sample(1000);
  agent.count("txFrames", agent.counters.get("txFrames") + 300);
  agent.count("txBytes", agent.counters.get("txBytes") + 30_000);
  agent.count("txBatches", agent.counters.get("txBatches") + 10);
  agent.count("rxFrames", agent.counters.get("rxFrames") + 60);
  agent.count("rxDatagrams", agent.counters.get("rxDatagrams") + 30);
  agent.count("rxBatches", agent.counters.get("rxBatches") + 20);
  agent.drop("tx", "NO_TX_TARGET", agent.counters.drops("tx", "NO_TX_TARGET") + 8);
  return ratesBetween(before, sample(1000 + seconds * 1000, changes));
}

describe("two answers", () => {
  it("are compared over the time between them, whatever stood there before", () => {
    for (const seconds of [2, 0.5]) {
      const { total, devices, dropped } = moved(seconds)!;
      expect(total.tx).toEqual({
        packets: 300 / seconds,
        bits: 240_000 / seconds,
        // Those that were dropped have been read, too.
        batch: 30.8,
        drops: { NO_TX_TARGET: 8 / seconds },
      });
      expect(total.rx).toEqual({ packets: 60 / seconds, bits: 0, batch: 1.5, drops: {} });
      expect(devices).toEqual([{ dev: "flannel.1", vni: 1, fdb: 3, ...total }]);
      expect(dropRate(total.tx)).toBe(8 / seconds);
      expect(dropped.tx.NO_TX_TARGET).toBe(agent.counters.drops("tx", "NO_TX_TARGET"));
    }
  });

  it("of two agents are not compared, nor those of counters that began anew", () => {
    expect(moved(1, { status: healthyStatus({ pid: 1 }) })).toBeNull();
    const before = sample(0);
    agent.count("txFrames", 0);
    expect(ratesBetween(before, sample(1000))).toBeNull();
  });

  it("say nothing of who received a batch, where several overlays share an underlay", () => {
    const one = healthyStatus();
    const status = { ...one, overlays: [one.overlays[0]!, one.overlays[0]!] };
    const all = moved(1, { status, meant: 2 })!;
    expect([all.total.rx.batch, all.devices[0]!.rx.batch]).toEqual([1.5, null]);
    expect(moved(1, { status })!.total.rx.batch).toBeNull();
    expect(moved(1, { status })!.total.tx.batch).toBe(30.8);
  });

  it("leave out a device that is new", () => {
    const [device] = sample(0).devices;
    const rates = moved(1, { devices: [{ ...device!, dev: "other" }] });
    expect(rates!.devices).toEqual([]);
  });
});

it("threads: the busiest first, those that slept left out, a new one from its start", () => {
  const before = sample(0, { threads: [thread(1, 10), thread(2, 5), thread(3, 7)] });
  const after = sample(2000, { threads: [thread(1, 10.5), thread(2, 6.5), thread(3, 7), thread(4, 0.2)] });
  expect(ratesBetween(before, after)!.threads).toEqual([
    { tid: 2, name: "node", cpu: 0.75 },
    { tid: 1, name: "node", cpu: 0.25 },
    { tid: 4, name: "node", cpu: 0.1 },
  ]);
});

function thread(tid: number, seconds: number) {
  return { tid, name: "node", seconds };
}
