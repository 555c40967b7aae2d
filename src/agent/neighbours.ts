/**
 * The table of neighbours that the dataplane answers from (`dataplane/proxy.ts`), kept as it should be: the neighbours
 * that the leases ask for, those of the setting `neighbours`, and those added by hand. Where two of them name an address, the
 * setting counts before the lease, and what was done by hand until the next comparison finds it different.
 */
import { addressBytes } from "../control/address.ts";
import { desiredRows } from "../control/desired.ts";
import type { Lease } from "../control/lease.ts";
import type { NeighbourChange, NeighbourRefusal, NeighbourUpdate } from "../dataplane/options.ts";
import type { Neighbour } from "../fdb/neighbours.ts";
import { AgentError } from "./api/refusals.ts";
import { overlayAddress, vtepMac } from "./config/addresses.ts";
import { splitNeighbour } from "./config/neighbours.ts";
import type { Engine } from "./engine/engine.ts";

/** Rows that the dataplane changes between two turns. */
const CHANGES_AT_ONCE = 256;

export class Neighbours {
  readonly #engine: Engine;
  /** What leases and settings ask for: address → MAC. */
  #desired: ReadonlyMap<string, string> = new Map();
  /** Addresses of rows that somebody added by hand. */
  readonly #manual = new Set<string>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** What an agent that takes over has to know: whose rows somebody added by hand. */
  get memory(): readonly string[] {
    return [...this.#manual];
  }

  recall(memory: readonly string[]): void {
    for (const address of memory) this.#manual.add(address);
  }

  /** Every row. */
  rows(): Promise<readonly Neighbour[]> {
    return this.#engine.ask({ type: "neighbours" });
  }

  /**
   * Makes the table agree with leases and setting.
   * @param leases none where nobody is answered: what nobody looks up need not be there
   * @returns how many rows were changed
   */
  async reconcile(leases: readonly Lease[], setting: readonly string[]): Promise<number> {
    const wanted = new Map<string, string>();
    for (const { neighbours } of desiredRows(leases, []).leases) {
      for (const { address, mac } of neighbours) wanted.set(address, mac);
    }
    for (const { address, mac } of setting.map(splitNeighbour)) wanted.set(address, mac);
    this.#desired = wanted;
    // An address that the configuration names is no longer somebody's own: when it goes there, it goes here.
    for (const address of wanted.keys()) this.#manual.delete(address);
    const changes = (await this.#steps()).map(update);
    for (let at = 0; at < changes.length; at += CHANGES_AT_ONCE) {
      const piece = changes.slice(at, at + CHANGES_AT_ONCE);
      await this.#engine.ask({ type: "updateNeighbours", changes: piece });
    }
    return changes.length;
  }

  /** @returns what a comparison would change for the leases and the setting of the last one */
  async plan(): Promise<string[]> {
    const steps = await this.#steps();
    return steps.map(({ op, address, mac }) =>
      op === "del" ? `proxy neigh del ${address}` : `proxy neigh ${op} ${address} lladdr ${mac}`,
    );
  }

  async #steps(): Promise<NeighbourChange[]> {
    const actual = new Map((await this.rows()).map(({ address, mac }) => [address, mac]));
    const steps: NeighbourChange[] = [];
    for (const address of actual.keys()) {
      if (!this.#desired.has(address) && !this.#manual.has(address)) steps.push({ op: "del", address });
    }
    for (const [address, mac] of this.#desired) {
      if (actual.get(address) !== mac) steps.push({ op: "replace", address, mac });
    }
    return steps;
  }

  /** Changes one row by hand. @throws AgentError that says why it was not made */
  async change(change: NeighbourChange): Promise<void> {
    const checked = checkNeighbour(change);
    const changes = [update(checked)];
    const [refusal] = await this.#engine.ask({ type: "updateNeighbours", changes });
    if (refusal !== null) throw refused(refusal!, checked.address);
    if (checked.op === "del") this.#manual.delete(checked.address);
    else if (!this.#desired.has(checked.address)) this.#manual.add(checked.address);
  }
}

function update({ op, address, mac = "" }: NeighbourChange): NeighbourUpdate {
  return { op, address: addressBytes(address), mac };
}

/** @returns the change in canonical text; @throws AgentError `BAD_MAC`, `BAD_ADDRESS` */
function checkNeighbour({ op, address: text, mac: given }: NeighbourChange): NeighbourChange {
  const address = overlayAddress(text);
  if (!address.ok) throw new AgentError("BAD_ADDRESS", address.message, address.hint || null);
  if (given === undefined) return { op, address: address.value };
  const mac = vtepMac(given);
  if (!mac.ok) throw new AgentError("BAD_MAC", mac.message, mac.hint || null);
  return { op, address: address.value, mac: mac.value };
}

function refused(refusal: NeighbourRefusal, address: string): AgentError {
  switch (refusal) {
    case "NEIGH_EXISTS":
      return new AgentError(
        "ROW_EXISTS",
        `${address}: it has a row already`,
        "`poplin neigh replace` changes it",
      );
    case "NEIGH_MISSING":
      return new AgentError("NO_SUCH_ROW", `${address}: it has no row`, "`poplin neigh show` lists them");
  }
}
