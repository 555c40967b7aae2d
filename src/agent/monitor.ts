/**
 * Hears from the kernel when somebody changes what the agent looks after, so that it need not wait for its next round:
 *
 *   our devices   gone, made anew, changed; addresses; permanent neighbours; routes of table main through them, and
 *                 such as took the place of another, which may have been one of them
 *   the uplink    gone, down, up; another MTU or address
 *   routes        with `routes`, all others of table main as well: one of them may lead to a peer
 *
 * Of IPv4 routes that go with their link or address the kernel says nothing of its own (`fib_sync_down_dev`): what is
 * said of the link is the reason to look. What is only said again (an IPv6 router renews an address's lifetime every few
 * minutes, a driver reports its link) is none. `arp -d`, of a permanent neighbour, looks like the kernel's own ageing and
 * is left to the next round.
 */

import type { Wanted } from "../io/linux/netlink/filter.ts";
import type {
  AddressEvent,
  LinkEvent,
  NeighbourEvent,
  NetlinkEvent,
  RouteEvent,
} from "../io/linux/netlink/message.ts";
import { type NetlinkListener, NetlinkWatch } from "../io/linux/netlink/watch.ts";
import { loadShim } from "../io/linux/shim.ts";
import { LookSoon } from "./look-soon.ts";

export interface MonitorOptions {
  /** Names of our devices. Asked again before each look. */
  readonly devices: () => readonly string[];
  /** Name of the interface that carries the underlay, null while there is none. Asked again before each look. */
  readonly uplink: () => string | null;
  /** Whether routes matter that do not lead through our devices. Left out: no. */
  readonly routes?: boolean;
  /**
   * Compares everything with what it should be. The next look begins after its promise is settled. What fails is its
   * own to report.
   * @param why the first reason, for a log: "10.244.2.0/24 dev flannel.1 deleted"
   * @param elsewhere whether anything has changed beside our own devices
   */
  readonly look: (why: string, elsewhere: boolean) => unknown;
}

/** Where events come from. */
export interface EventSource {
  open(listener: NetlinkListener): { narrow(wanted: Wanted): void; close(): void };
  /** @returns the index of a device, 0 when there is none of that name */
  indexOf(name: string): number;
}

const KERNEL: EventSource = {
  open: (listener) => new NetlinkWatch(listener),
  indexOf: (name) => loadShim().linkIndex(name),
};

/** Index of no device: of a route that leads nowhere it is 0. */
const NONE = -1;

export class HostMonitor {
  readonly #options: MonitorOptions;
  readonly #source: EventSource;
  readonly #soon: LookSoon;
  readonly #watch: ReturnType<EventSource["open"]>;
  #names: ReadonlySet<string> = new Set();
  /** Our devices that there are, by index. */
  #devices: ReadonlyMap<number, string> = new Map();
  #uplink: { readonly name: string | null; readonly index: number } = { name: null, index: NONE };
  /** What was last said of the uplink's link and of each address. */
  readonly #said = new Map<string, string>();
  /** What is new since the last look is not all about our own devices. */
  #elsewhere = false;

  /**
   * Hears what happens from now on.
   * @throws Error of a system call: without a monitor an agent is only slower to notice
   */
  constructor(options: MonitorOptions, source: EventSource = KERNEL) {
    this.#options = options;
    this.#source = source;
    this.#soon = new LookSoon((why) => this.#look(why));
    this.#watch = source.open({ heard: (events) => this.#heard(events), lost: () => this.#lost() });
    try {
      this.#resolve();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Safe to call twice. A look that runs goes on. */
  close(): void {
    this.#soon.close();
    this.#watch.close();
  }

  #look(why: string): unknown {
    try {
      this.#resolve();
    } catch {
      // No descriptor is left (EMFILE), say: the indexes are asked again before the next look.
    }
    const elsewhere = this.#elsewhere;
    this.#elsewhere = false;
    return this.#options.look(why, elsewhere);
  }

  /** A device that was made anew has another index. What is missed before the filter knows it, the look sees. */
  #resolve(): void {
    const names = this.#options.devices();
    const name = this.#options.uplink();
    const devices = new Map<number, string>();
    for (const device of names) {
      const index = this.#source.indexOf(device);
      if (index !== 0) devices.set(index, device);
    }
    const uplink = { name, index: (name !== null && this.#source.indexOf(name)) || NONE };
    this.#watch.narrow({ devices: new Set(devices.keys()), routes: this.#options.routes ?? false });
    if (uplink.index !== this.#uplink.index) this.#said.clear();
    this.#names = new Set(names);
    this.#devices = devices;
    this.#uplink = uplink;
  }

  #lost(): void {
    this.#said.clear();
    this.#elsewhere = true;
    this.#soon.ask("more has changed than the kernel could tell");
  }

  #heard(events: readonly NetlinkEvent[]): void {
    for (const event of events) {
      const why = this.#concern(event);
      if (why === null) continue;
      this.#elsewhere ||= !this.#devices.has(event.index);
      this.#soon.ask(why);
    }
  }

  /** @returns why it is a reason to look, null when it is none */
  #concern(event: NetlinkEvent): string | null {
    switch (event.kind) {
      case "link":
        return this.#link(event);
      case "address":
        return this.#address(event);
      case "route":
        return this.#route(event);
      case "neighbour":
        return this.#neighbour(event);
    }
  }

  #link(event: LinkEvent): string | null {
    const { op, index, name, mtu, up, running } = event;
    const device = this.#names.has(name) ? name : this.#devices.get(index);
    if (device !== undefined) return op === "del" ? `${device} deleted` : `${device} changed`;
    if (name !== this.#uplink.name && index !== this.#uplink.index) return null;
    const state = op === "del" ? "deleted" : !up ? "down" : running ? "up" : "without carrier";
    return this.#isNews(`link ${index}`, op === "del" ? null : `${name} ${mtu} ${state}`)
      ? `${name} ${state}`
      : null;
  }

  #address({ op, index, address, flags }: AddressEvent): string | null {
    const device = this.#devices.get(index);
    if (device !== undefined) return `${address} dev ${device} ${WORDS[op]}`;
    if (index !== this.#uplink.index) return null;
    const news = this.#isNews(`address ${address}`, op === "del" ? null : String(flags));
    return news ? `${address} dev ${this.#uplink.name} ${WORDS[op]}` : null;
  }

  #route({ op, index, dst, replaces }: RouteEvent): string | null {
    const device = this.#devices.get(index);
    if (device !== undefined) return `${dst} dev ${device} ${WORDS[op]}`;
    if (replaces) return `${dst} replaced`;
    return this.#options.routes ? `route to ${dst} ${WORDS[op]}` : null;
  }

  #neighbour({ op, index, address, permanent, asked }: NeighbourEvent): string | null {
    const device = this.#devices.get(index);
    if (device === undefined || !(permanent || asked)) return null;
    return `neighbour ${address} dev ${device} ${WORDS[op]}`;
  }

  /** @param state null when it is gone. @returns whether it is something else than was said before */
  #isNews(key: string, state: string | null): boolean {
    const before = this.#said.get(key);
    if (state === null) this.#said.delete(key);
    else this.#said.set(key, state);
    return state === null || state !== before;
  }
}

const WORDS = { new: "set", del: "deleted" } as const;
