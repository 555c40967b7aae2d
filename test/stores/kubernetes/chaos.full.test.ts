/** Nodes come, change and go at random, while the API server does at random whatever one does. */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { NodeLease } from "../../../src/control/flannel/node-lease.ts";
import { Heard } from "../../contract/heard.ts";
import { attributesOf, subnetsOf } from "../../contract/store-world.ts";
import { describeWith, tool } from "../../helpers/needs.ts";
import { until } from "../../helpers/until.ts";
import { KubernetesStage } from "./stage.ts";

const STEPS = [
  "put",
  "put",
  "put",
  "change",
  "delete",
  "unmanage",
  "status",
  "compact",
  "break",
  "tear",
] as const;
const FAULTS = ["end", "gone", "down", "garbage", "refuse", "nothing", "nothing", "nothing"] as const;

/** What there is, and what may be told of it. */
class World {
  readonly leases = new Map<string, NodeLease>();
  readonly removed = new Set<string>();
  readonly stage: KubernetesStage;

  constructor(stage: KubernetesStage) {
    this.stage = stage;
  }

  async step(what: (typeof STEPS)[number], n: number): Promise<void> {
    const { server } = this.stage;
    const key = `stranger-${n}`;
    const there = server.objects.nodes.has(key);
    if (what === "put" || what === "change") {
      const attributes = attributesOf(what === "put" ? n : n + 100);
      await this.stage.put(key, subnetsOf(n), attributes);
      this.leases.set(key, { key, subnets: subnetsOf(n), attributes });
    } else if (what === "compact") server.objects.compact();
    else if (what === "break") server.breakWatches();
    else if (what === "tear")
      server.breakWatches('{"type":"DELETED","object":{"metadata":{"name":"stranger-0"');
    else if (what === "status" && there)
      server.objects.patch(key, { status: { heard: server.objects.version } });
    else if (there) {
      if (what === "delete") server.objects.delete(key);
      else server.objects.annotate(key, { "flannel.alpha.coreos.com/kube-subnet-manager": null });
      this.leases.delete(key);
      this.removed.add(key);
    }
  }

  async fault(what: (typeof FAULTS)[number]): Promise<void> {
    const { server } = this.stage;
    if (what === "end") server.endWatches();
    else if (what === "gone") server.error(410);
    else if (what === "garbage") server.write("\u0000{\n");
    else if (what === "refuse") server.faults.push({ status: 503, times: 2 });
    else if (what === "down") {
      await server.stop();
      await server.start();
    }
  }
}

describeWith([tool("openssl")], "whatever happens", () => {
  it("a watcher ends up with what there is, has heard each thing once, and of no removal that was none", async () => {
    const step = fc.tuple(fc.constantFrom(...STEPS), fc.nat(7), fc.constantFrom(...FAULTS), fc.nat(4));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
        const stage = await new KubernetesStage().started();
        const world = new World(stage);
        const heard = new Heard();
        try {
          stage.store("node-1").watch(heard);
          for (const [what, n, fault, pause] of steps) {
            await world.step(what, n);
            await world.fault(fault);
            for (let i = 0; i < pause; i++) await new Promise((resolve) => setTimeout(resolve, 2));
          }
          await heard.has(...world.leases.values());
          await until(
            "all is well",
            () => stage.server.watches > 0 && (heard.troubles.at(-1) ?? null) === null,
          );
          expect(heard.faults).toEqual([]);
          const gone = heard.changes.filter(({ kind }) => kind === "removed").map(({ lease }) => lease.key);
          expect(gone.filter((key) => !world.removed.has(key))).toEqual([]);
        } finally {
          await stage.close();
        }
      }),
      { numRuns: 6 },
    );
  }, 120_000);
});
