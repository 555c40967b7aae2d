/** The Kubernetes store's world with strangers' leases in it, and watchers who must not be told anything twice. */
import { expect } from "vitest";
import type { NodeLease } from "../../../src/control/flannel/node-lease.ts";
import type { KubernetesStore } from "../../../src/stores/kubernetes/store.ts";
import { Heard } from "../../contract/heard.ts";
import { putStranger } from "../../contract/store-world.ts";
import { until } from "../../helpers/until.ts";
import { KubernetesStage } from "./stage.ts";

export class WatchedStage extends KubernetesStage {
  readonly #heards: Heard[] = [];

  lease(n: number, look = n): Promise<NodeLease> {
    return putStranger(this, n, look);
  }

  watch(store: KubernetesStore = this.store("node-1")): Heard {
    const heard = new Heard();
    this.#heards.push(heard);
    store.watch(heard);
    return heard;
  }

  /** A watcher that has heard all there is, and whose watch is open. */
  async watching(store?: KubernetesStore): Promise<Heard> {
    const heard = this.watch(store);
    await until("all there is has been told", () => heard.calls > 0 && this.server.watches > 0);
    return heard;
  }

  /** Whatever happened: nothing was told twice, and trouble and its end in turns. */
  override async close(): Promise<void> {
    await super.close();
    expect(this.#heards.flatMap(({ faults }) => faults)).toEqual([]);
  }
}
