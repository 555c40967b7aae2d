/** What a running agent is asked over its API: counters and tables of the overlays that are meant, and changes to them. */
import type { CounterSnapshot } from "../dataplane/counters.ts";
import type { FdbChange, FdbRow, NeighbourChange } from "../dataplane/options.ts";
import type { Neighbour } from "../fdb/neighbours.ts";
import type {
  AgentView,
  DeviceFdbReason,
  OfDevice,
  OverlayChoice,
  ToldEvent,
  Topic,
} from "./api/agent-view.ts";
import type { ClusterView, LeaseStatus } from "./api/cluster-types.ts";
import { AgentError } from "./api/refusals.ts";
import type { AgentStatus } from "./api/status-types.ts";
import { allOf, oneOf, unavailable } from "./choice.ts";
import { addSnapshots } from "./engine/queues.ts";
import { checkChange, refused } from "./fdb-change.ts";
import type { Forwardings } from "./forwardings.ts";
import type { Level, Log } from "./log.ts";
import type { AgentCounts, MetricParts } from "./metrics/collect.ts";
import type { Metrics } from "./metrics/metrics.ts";
import type { Overlay } from "./overlay.ts";
import type { Page } from "./probes/pages.ts";
import type { Readiness } from "./probes/readiness.ts";
import type { Serial } from "./serial.ts";

/** What a view asks of the agent's life. */
export interface ViewParts {
  readonly status: () => Promise<AgentStatus>;
  readonly forwardings: Forwardings;
  readonly serial: Serial;
  /** Where the peers are a flannel cluster's. */
  readonly cluster: ClusterView | null;
  readonly readiness: Readiness;
  readonly log: Log;
  /** What the agent has counted, for its metrics. */
  readonly history: () => Pick<MetricParts, "lastReload" | "loadedAt"> & {
    readonly reloads: AgentCounts["reloads"];
  };
}

export class View implements AgentView {
  readonly status: () => Promise<AgentStatus>;
  readonly #parts: ViewParts;
  readonly #forwardings: Forwardings;
  readonly #serial: Serial;
  readonly #cluster: ClusterView | null;

  #metrics: Promise<Metrics> | undefined;

  constructor(parts: ViewParts) {
    this.#parts = parts;
    this.status = parts.status;
    this.#cluster = parts.cluster;
    this.#forwardings = parts.forwardings;
    this.#serial = parts.serial;
  }

  live(): Promise<readonly string[]> {
    return this.#parts.readiness.live();
  }

  ready(): Promise<readonly string[]> {
    return this.#parts.readiness.ready();
  }

  async metrics(): Promise<Page> {
    // Loaded by who asks first.
    this.#metrics ??= import("./metrics/metrics.ts").then((module) => new module.Metrics());
    const metrics = await this.#metrics;
    const { readiness, log, history } = this.#parts;
    const { reloads, ...past } = history();
    const ready = (await readiness.ready()).length === 0;
    return metrics.page({
      ...past,
      running: this.#forwardings.running,
      counts: {
        reloads,
        rebuilds: this.#forwardings.rebuilds,
        probes: readiness.probes,
        lostLines: log.lost,
      },
      ready,
      cluster: this.#cluster,
    });
  }

  get logLevel(): Level {
    return this.#parts.log.level;
  }

  set logLevel(level: Level) {
    this.#parts.log.setLevel(level);
  }

  stats(choice: OverlayChoice = {}): CounterSnapshot {
    const chosen = choice.vni !== undefined || choice.dev !== undefined;
    // All overlays of an underlay together have counters that none of them has alone.
    const counted = chosen ? this.#all(choice) : this.#forwardings.running;
    if (counted.length === 0) throw unavailable();
    return addSnapshots(counted.map((one) => one.stats()));
  }

  fdb(choice?: OverlayChoice): Promise<readonly OfDevice<FdbRow>[]> {
    return this.#each(choice, async ({ engine }, dev) =>
      (await engine.ask({ type: "rows" })).map((row) => ({ ...row, dev })),
    );
  }

  why(mac: string, choice?: OverlayChoice): Promise<readonly DeviceFdbReason[]> {
    return this.#each(choice, async ({ engine }, dev) =>
      (await engine.ask({ type: "why", mac })).map(({ row, lesson }) => ({ row: { ...row, dev }, lesson })),
    );
  }

  async flushFdb(choice?: OverlayChoice): Promise<number> {
    const flushed = await this.#each(choice, async ({ engine }) => [await engine.ask({ type: "flush" })]);
    return flushed.reduce((sum, n) => sum + n, 0);
  }

  changeFdb(change: FdbChange, choice?: OverlayChoice): Promise<void> {
    return this.#serial.run(async () => {
      const { device, peers, config } = oneOf(this.#forwardings.candidates, choice);
      const checked = checkChange(change, { mac: device.mac, address: device.uplink.address });
      const refusal = await peers.change(checked);
      if (refusal !== null) throw refused(refusal, checked, config.family);
    });
  }

  neighbours(choice?: OverlayChoice): Promise<readonly OfDevice<Neighbour>[]> {
    return this.#each(choice, async ({ neighbours }, dev) =>
      (await neighbours.rows()).map((row) => ({ ...row, dev })),
    );
  }

  changeNeighbour(change: NeighbourChange, choice?: OverlayChoice): Promise<void> {
    return this.#serial.run(() => oneOf(this.#forwardings.candidates, choice).neighbours.change(change));
  }

  leases(): readonly LeaseStatus[] {
    if (this.#cluster !== null) return this.#cluster.leases();
    const remedy = "`poplin flanneld` runs a node of a flannel cluster";
    throw new AgentError(
      "NO_CLUSTER",
      "the peers of this agent stand in its file, and are no leases",
      remedy,
    );
  }

  plan(): Promise<readonly string[]> {
    return this.#serial.run(() => this.#forwardings.plan());
  }

  reconcile(): Promise<number> {
    return this.#serial.run(() => this.#forwardings.putInPlace());
  }

  listen(heard: (event: ToldEvent) => void, topics: readonly Topic[]): () => void {
    return this.#forwardings.listen(heard, topics);
  }

  #all(choice: OverlayChoice | undefined): readonly Overlay[] {
    return allOf(this.#forwardings.candidates, choice);
  }

  /** @returns what the overlays that are meant answer, one after the other */
  async #each<T>(
    choice: OverlayChoice | undefined,
    ask: (overlay: Overlay, dev: string) => Promise<readonly T[]>,
  ): Promise<readonly T[]> {
    const asked = this.#all(choice).map((overlay) => ask(overlay, overlay.device.name));
    return (await Promise.all(asked)).flat();
  }
}
