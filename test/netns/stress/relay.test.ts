/** The bad network of the stress tests does what it says, no less and no more. */
import { afterEach, describe, expect, it } from "vitest";
import { Lab } from "../../../src/lab/lab.ts";
import { VXLAN_PORT } from "../../../src/lab/node.ts";
import { planNode } from "../../../src/lab/plan.ts";
import { lab as canMakeLabs, describeWith } from "../../helpers/needs.ts";
import { until } from "../agents.ts";
import { ipv6 } from "../pods.ts";
import { Helper } from "../traffic/helper.ts";
import { RelayNetwork } from "./relay.ts";

interface Report {
  readonly received: number;
  readonly twice: number;
  readonly late: number;
  readonly oneBit: number;
  readonly moreBits: number;
}

const RATES = { loss: 0.01, duplicate: 0.02, reorder: 0.03, flip: 0.04 };
const DATAGRAMS = 6000;
/** Underway at once: fewer than a socket's buffer holds. */
const STEP = 500;

describeWith([canMakeLabs(), ipv6()], "the relay", () => {
  let lab: Lab | undefined;
  afterEach(() => lab?.destroy());

  for (const family of [4, 6] as const) {
    for (const [gro, gso] of [
      [true, true],
      [true, false],
      [false, true],
      [false, false],
    ] as const) {
      describe(`over IPv${family}, receiving ${gro ? "trains" : "singles"}, sending ${gso ? "trains" : "singles"}`, () => {
        it("spoils what it counts, and nothing else", async () => {
          lab = Lab.create();
          const network = new RelayNetwork(lab);
          const plans = [planNode("node-a", 0), planNode("node-b", 1)];
          const of = (plan: (typeof plans)[0]) => (family === 4 ? plan.address : plan.address6);
          const [a, b] = plans.map((plan) => {
            const host = lab!.addHost(plan.name);
            network.attach(host, plan);
            const options = JSON.stringify({ family, local: of(plan), port: VXLAN_PORT });
            return new Helper(host, "../stress/relay/numbered.mjs", [options]);
          }) as [Helper, Helper];
          await b.ask({ report: true }); // from now on it listens
          const relay = await network.start({ family, rates: RATES, seed: 7, gro, gso });

          for (let n = 0; n < DATAGRAMS; n += STEP) {
            await a.ask({ send: [n, n + STEP], address: of(network.seen(1)), segment: gro });
            await until("their arrival", async () => {
              const [there] = await relay.counts();
              const { received } = await b.ask<Report>({ report: true });
              return there.seen === n + STEP && received === there.seen - there.lost + there.duplicated;
            });
          }

          const [there, back] = await relay.stop();
          expect(await b.ask({ report: true })).toEqual({
            received: DATAGRAMS - there.lost + there.duplicated,
            twice: there.duplicated,
            late: there.reordered,
            oneBit: there.flipped,
            moreBits: 0,
          });
          expect(there).toMatchObject({ seen: DATAGRAMS, refused: 0 });
          for (const [kind, rate] of [
            ["lost", RATES.loss],
            ["duplicated", RATES.duplicate],
            ["reordered", RATES.reorder],
            ["flipped", RATES.flip],
          ] as const) {
            expect(there[kind] / DATAGRAMS, kind).toBeGreaterThan(rate / 2);
            expect(there[kind] / DATAGRAMS, kind).toBeLessThan(rate * 1.5);
          }
          expect(there.trainsIn > 0).toBe(gro);
          expect(there.trainsOut > 0).toBe(gso);
          expect(back.seen).toBe(0);
        });
      });
    }
  }
});
