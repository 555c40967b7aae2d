/** What `poplin top` asks an agent, once a turn. */
import type { OverlayChoice } from "../agent/api/agent-view.ts";
import type { ApiClient } from "../agent/api/client.ts";
import type { OverlayStatus } from "../agent/api/status-types.ts";
import { threadTimes } from "../host/threads.ts";
import { chosen } from "./overlay-words.ts";
import type { DeviceSample, Sample } from "./top-rates.ts";

/** Overlays that are asked one by one; of more only these are shown, unless one is named. */
export const MOST_DEVICES = 16;
/** Milliseconds between two counts of the forwarding table's rows, at least: the agent lists them all for it. */
const FDB_EVERY = 5000;
/** And so many times as long as that took: counting is to cost the agent no more than a hundredth of its time. */
const FDB_REST = 100;

export class Poll {
  readonly #client: ApiClient;
  readonly #choice: OverlayChoice;
  #rows: ReadonlyMap<string, number> | null = null;
  #countAgain = 0;

  /** @param choice which overlays are meant; none named: all */
  constructor(client: ApiClient, choice: OverlayChoice) {
    this.#client = client;
    this.#choice = choice;
  }

  /** @throws ApiClientError; CliError (usage) where the agent has no such overlay */
  async sample(): Promise<Sample> {
    const status = await this.#client.status();
    const overlays = chosen(status, this.#choice);
    const one = overlays.length < status.overlays.length ? this.#choice : undefined;
    await this.#countRows();
    const [total, devices, threads] = await Promise.all([
      this.#client.stats(one),
      Promise.all(overlays.slice(0, MOST_DEVICES).map((overlay) => this.#device(overlay))),
      threadTimes(status.pid),
    ]);
    return { at: performance.now(), status, meant: overlays.length, total, devices, threads };
  }

  async #device({ device: { name, vni } }: OverlayStatus): Promise<DeviceSample> {
    const stats = await this.#client.stats({ dev: name });
    return { dev: name, vni, stats, fdb: this.#rows === null ? null : (this.#rows.get(name) ?? 0) };
  }

  async #countRows(): Promise<void> {
    const start = performance.now();
    if (start < this.#countAgain) return;
    const rows = new Map<string, number>();
    for (const { dev } of await this.#client.fdb(this.#choice)) rows.set(dev, (rows.get(dev) ?? 0) + 1);
    this.#rows = rows;
    const end = performance.now();
    this.#countAgain = end + Math.max(FDB_EVERY, FDB_REST * (end - start));
  }
}
