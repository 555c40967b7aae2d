/** What a running agent is asked over its API: counters and tables of the overlays that are meant, and changes to them. */
import type { CounterSnapshot } from "../dataplane/counters.ts";
import type { FdbChange, FdbRow, NeighbourChange } from "../dataplane/options.ts";
import type { Neighbour } from "../fdb/neighbours.ts";
import type { AgentEvent, AgentView, DeviceFdbReason, OfDevice, OverlayChoice } from "./api/agent-view.ts";
import type { ClusterView, LeaseStatus } from "./api/cluster-types.ts";
import { AgentError } from "./api/refusals.ts";
import type { AgentStatus } from "./api/status-types.ts";
import { allOf, oneOf, unavailable } from "./choice.ts";
import { addSnapshots } from "./engine/queues.ts";
import { checkChange, refused } from "./fdb-change.ts";
import type { Forwardings } from "./forwardings.ts";
import type { Overlay } from "./overlay.ts";
import type { Serial } from "./serial.ts";

export class View implements AgentView {
  readonly status: () => Promise<AgentStatus>;
  readonly #forwardings: Forwardings;
  readonly #serial: Serial;
  readonly #cluster: ClusterView | null;

  /** @param cluster where the peers are a flannel cluster's */
  constructor(
    status: () => Promise<AgentStatus>,
    forwardings: Forwardings,
    serial: Serial,
    cluster: ClusterView | null,
  ) {
    this.status = status;
    this.#cluster = cluster;
    this.#forwardings = forwardings;
    this.#serial = serial;
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

  listen(heard: (event: AgentEvent) => void): () => void {
    return this.#forwardings.listen(heard);
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
