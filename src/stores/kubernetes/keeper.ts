/**
 * Keeps what this node publishes. Nothing is renewed in Kubernetes; but somebody may change or remove our annotations, and
 * a node that is deleted and comes back has none. They are written again, with a pause, since another flannel on the same
 * node would do the same. Another podCIDR means other addresses for all pods: the lease is lost.
 */
import type { LeaseAttributes, NodeLease, NodeSubnets } from "../../control/flannel/node-lease.ts";
import { LeaseLost } from "../store.ts";
import { type NodeFacts, subnetsOf } from "./annotations.ts";
import type { OwnNode } from "./own-node.ts";

export interface KeeperListener {
  lost(error: LeaseLost): void;
  say(line: string): void;
}

/** What is to be kept. */
export interface Kept {
  readonly lease: NodeLease;
  /** What we publish; the lease has it as overwritten. */
  readonly attributes: LeaseAttributes;
}

export class Keeper {
  readonly #node: OwnNode;
  readonly #kept: () => Kept | null;
  readonly #listener: KeeperListener;
  /** Milliseconds between two times that we put something back. */
  readonly #every: number;
  #putBackAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #isGone = false;
  #isWaiting = false;
  #complaint = "";
  #isRunning = false;
  /** It was asked for while it was running. */
  #isDue = false;
  #isClosed = false;

  /** @param kept what is to be kept at this moment */
  constructor(node: OwnNode, kept: () => Kept | null, listener: KeeperListener, every: number) {
    this.#node = node;
    this.#kept = kept;
    this.#listener = listener;
    this.#every = every;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** @param node as it is now; null where it is gone */
  look(node: NodeFacts | null): void {
    const kept = this.#kept();
    if (kept === null || this.#isClosed) return;
    const { name } = this.#node;
    if (node === null) {
      if (this.#isGone) return;
      this.#isGone = true;
      this.#listener.say(`the node ${name} was deleted from Kubernetes: others drop us until it is back`);
      return;
    }
    const { subnets } = kept.lease;
    const now = podCidrsNow(node);
    if (anotherSubnet(now, subnets) !== null) {
      this.#putBackSoon();
      return;
    }
    // A node that is added again is given its podCIDR a moment later.
    const isMissing =
      (subnets.ipv4 !== null && now.ipv4 === null) || (subnets.ipv6 !== null && now.ipv6 === null);
    if (isMissing && !this.#isWaiting) this.#listener.say(`the node ${name} has no podCIDR at this moment`);
    this.#isWaiting = isMissing;
    if (isMissing) return;
    if (this.#differs(node, kept)) this.#putBackSoon();
    else this.#isGone = false;
  }

  #differs(node: NodeFacts, { attributes }: Kept): boolean {
    try {
      return this.#node.difference(node, attributes).size > 0;
    } catch (error) {
      this.#complain((error as Error).message);
      return false;
    }
  }

  #putBackSoon(): void {
    this.#isDue = true;
    if (this.#timer !== undefined || this.#isRunning || this.#isClosed) return;
    const wait = Math.max(0, this.#putBackAt + this.#every - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#putBack();
    }, wait);
  }

  /** Looks at the node as it is: what we heard may be of before our last change. */
  async #putBack(): Promise<void> {
    this.#isRunning = true;
    this.#isDue = false;
    this.#putBackAt = performance.now();
    try {
      const node = await this.#node.find();
      const kept = this.#kept();
      if (node === null || kept === null || this.#isClosed) return;
      const another = anotherSubnet(podCidrsNow(node), kept.lease.subnets);
      if (another !== null) {
        this.#lose(kept, another);
        return;
      }
      const names = [...this.#node.difference(node, kept.attributes).keys()];
      if (names.length === 0) return;
      // Before we write: the watch may hear of it before we hear that it is done.
      const reason = this.#isGone ? "it is back" : "somebody changed or removed them";
      this.#isGone = false;
      await this.#node.set(node, kept.attributes);
      this.#complaint = "";
      this.#listener.say(`node ${node.name}: ${reason}; written again: ${names.join(", ")}`);
    } catch (error) {
      this.#complain(`our annotations could not be written again: ${(error as Error).message}`);
      this.#isDue = true;
    } finally {
      this.#isRunning = false;
      if (this.#isDue) this.#putBackSoon();
    }
  }

  #lose({ lease: { subnets } }: Kept, another: string): void {
    this.close();
    const before = [subnets.ipv4, subnets.ipv6].filter((cidr) => cidr !== null).join(" and ");
    const text = `the podCIDR of node ${this.#node.name} is ${another} now, and was ${before}`;
    this.#listener.lost(new LeaseLost(`${text}: pods need addresses of the new one; restart`));
  }

  #complain(text: string): void {
    if (text === this.#complaint || this.#isClosed) return;
    this.#complaint = text;
    this.#listener.say(text);
  }
}

/** None where they are no CIDRs: whoever wrote that will write again. */
function podCidrsNow(node: NodeFacts): NodeSubnets {
  try {
    return subnetsOf(node);
  } catch {
    return { ipv4: null, ipv6: null };
  }
}

/** @returns a subnet that is another than that of the lease; null where none is */
function anotherSubnet(now: NodeSubnets, leased: NodeSubnets): string | null {
  const isAnother = (cidr: string | null, before: string | null): boolean =>
    cidr !== null && before !== null && cidr !== before;
  if (isAnother(now.ipv4, leased.ipv4)) return now.ipv4;
  return isAnother(now.ipv6, leased.ipv6) ? now.ipv6 : null;
}
