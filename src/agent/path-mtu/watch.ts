/**
 * The path MTU to each peer: found out, told to the dataplane, and kept for `poplin status`.
 *
 *   the kernel's routes   asked twice a second, but only while packets are sent: nobody sends ICMP about nothing
 *   a probe               at start, then every `pmtuProbe` seconds, each peer at a time of its own
 *
 * The smaller of the two counts. A path narrower than the overlay's MTU needs becomes a limit in the dataplane, which
 * answers what is too long (`dataplane/too-big.ts`). What ICMP has taught the kernel is forgotten after ten minutes, and
 * our limit with it: then the next long packet is the question whether it still holds, as for every sender of the kernel's.
 */
import { setImmediate as othersTurn } from "node:timers/promises";
import { addressBytes, type Family } from "../../control/address.ts";
import { overlayOverhead } from "../../control/mtu.ts";
import type { PathLimit } from "../../dataplane/path-mtus.ts";
import { RouteMtus } from "../../io/linux/route-mtu.ts";
import type { PathMtuStatus } from "../api/status-types.ts";
import type { AgentConfig } from "../config/load.ts";
import type { Engine } from "../engine/engine.ts";
import type { Log } from "../log.ts";
import { Echoes, type EchoPort } from "./echoes.ts";
import { LEAST_PATH, probePath } from "./probe.ts";

/** Milliseconds between two looks at the routes: what a pod waits for its ICMP, at most, after ours has come. */
const LOOK_EVERY = 500;
/** Routes that are asked before somebody else on the event loop has his turn: some two milliseconds. */
const ASKED_AT_ONCE = 128;
/** Peers that are probed at a time, and that are begun with in one look: a thousand take a minute, with 20 packets a second. */
const AT_A_TIME = 10;
/** The largest IP packets there are; the length of an IPv6 packet does not count its header. */
const LARGEST_IP = { 4: 65_535, 6: 65_575 } as const;

export type PathSettings = Pick<AgentConfig, "pmtu" | "pmtuProbe">;

export interface PathParts {
  readonly engine: Engine;
  /** Our address in the underlay, the MTU of its interface, and the VXLAN port. */
  readonly uplink: { readonly address: string; readonly mtu: number };
  readonly family: Family;
  readonly port: number;
  /** The overlay's. */
  readonly mtu: number;
  readonly log: Log;
}

/** What is known of one path. */
export interface PathMemory {
  /** The peer's. */
  readonly address: string;
  /** What the kernel's route said, and when (milliseconds since 1970). */
  readonly route: number | null;
  readonly routeAt: number;
  /** What the last probe that got replies has found. */
  readonly probe: { readonly bytes: number; readonly at: number } | null;
}

interface Path {
  readonly address: Uint8Array;
  /** What the kernel's route says; null when it was not asked, or has none. */
  route: number | null;
  routeAt: number;
  /** What the last probe that got replies has found. */
  probe: { readonly bytes: number; readonly at: number } | null;
  /** When the next one is due, by a clock that nobody sets (performance.now); and whether it runs. */
  due: number;
  running: boolean;
}

export class PathWatch {
  readonly #parts: PathParts;
  readonly #needed: number;
  /** What the uplink takes. */
  readonly #most: number;
  readonly #routes: RouteMtus;
  readonly #echoes: Echoes;
  readonly #timer: NodeJS.Timeout;
  #settings: PathSettings = { pmtu: "off", pmtuProbe: "off" };
  #paths = new Map<string, Path>();
  #running = 0;
  #unable = false;
  #failed = false;
  /** Frames sent, and refused, when the routes were last asked; −1: they are to be asked in any case. */
  #sent = -1;
  /** Some were sent shortly before that: the ICMP about them may still have been on its way. */
  #fresh = false;
  #told = "";
  #closed = false;

  /** @throws SystemCallError when there is no socket to ask with */
  constructor(parts: PathParts) {
    this.#parts = parts;
    this.#needed = parts.mtu + overlayOverhead(parts.family);
    this.#most = Math.min(parts.uplink.mtu, LARGEST_IP[parts.family]);
    this.#routes = new RouteMtus(parts.uplink.address, parts.family, parts.port);
    this.#echoes = new Echoes(addressBytes(parts.uplink.address));
    this.#timer = setInterval(() => this.#lookQuietly(), LOOK_EVERY);
  }

  /** From now on these are the peers' addresses, and this is what to do. */
  update(addresses: readonly string[], settings: PathSettings): void {
    const { pmtuProbe } = this.#settings;
    this.#settings = settings;
    const fresh = (text: string): Path => {
      const address = addressBytes(text);
      return { address, route: null, routeAt: 0, probe: null, due: 0, running: false };
    };
    this.#paths = new Map(addresses.map((text) => [text, this.#paths.get(text) ?? fresh(text)]));
    for (const path of this.#paths.values()) {
      if (pmtuProbe !== settings.pmtuProbe) path.due = 0;
      if (settings.pmtuProbe === "off") path.probe = null;
    }
    this.#sent = -1;
    this.#unable = false; // what was in the way may be gone
    this.#lookQuietly();
  }

  /** Null while nothing is known. */
  statusOf(address: string): PathMtuStatus | null {
    const path = this.#paths.get(address);
    if (path === undefined) return null;
    const { probe, route, routeAt } = path;
    const needed = this.#needed;
    const when = (at: number): string => new Date(at).toISOString();
    if (probe !== null && (route === null || probe.bytes <= route))
      return { bytes: probe.bytes, needed, how: "probe", at: when(probe.at) };
    if (route === null) return null;
    const how = route < this.#most ? "kernel" : "assumed";
    return { bytes: route, needed, how, at: when(routeAt) };
  }

  /** What is known of each path, for an agent that takes over. */
  get memory(): PathMemory[] {
    return [...this.#paths].map(([address, { route, routeAt, probe }]) => ({
      address,
      route,
      routeAt,
      probe,
    }));
  }

  /** Takes over what another has found out of paths that there are here; the next probes are due as ever. */
  async recall(memory: readonly PathMemory[]): Promise<void> {
    for (const { address, route, routeAt, probe } of memory) {
      const path = this.#paths.get(address);
      if (path === undefined) continue;
      path.route ??= route;
      path.routeAt ||= routeAt;
      path.probe ??= this.#settings.pmtuProbe === "off" ? null : probe;
    }
    await this.#tell();
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#routes.close();
    this.#echoes.close();
  }

  /** A look that fails is said once, and is no reason to stop forwarding. */
  #lookQuietly(): void {
    this.#look().catch(({ message }: Error) => {
      if (!this.#failed) this.#parts.log.error(`path MTUs could not be looked at: ${message}`);
      this.#failed = true;
    });
  }

  async #look(): Promise<void> {
    if (this.#closed || this.#paths.size === 0) return this.#tell();
    if (this.#settings.pmtu !== "off" || this.#sent < 0) await this.#askRoutes();
    if (this.#closed) return;
    const { pmtuProbe } = this.#settings;
    if (pmtuProbe !== "off") this.#probeDue(pmtuProbe);
    await this.#tell();
  }

  async #askRoutes(): Promise<void> {
    const { txFrames, drops } = this.#parts.engine.snapshot();
    const sent = txFrames + (drops.tx.UNDERLAY_REFUSED ?? 0);
    const changed = sent !== this.#sent;
    if (!changed && !this.#fresh && this.#running === 0) return;
    this.#sent = sent;
    this.#fresh = changed;
    const paths = [...this.#paths.values()];
    for (let at = 0; at < paths.length; at += ASKED_AT_ONCE) {
      if (at > 0) await othersTurn();
      if (this.#closed) return;
      const piece = paths.slice(at, at + ASKED_AT_ONCE);
      const mtus = this.#routes.ask(piece.map(({ address }) => address));
      piece.forEach((path, i) => {
        if (path.route !== mtus[i]) path.routeAt = Date.now();
        path.route = mtus[i]!;
      });
    }
  }

  #probeDue(pmtuProbe: number): void {
    const now = performance.now();
    for (const path of this.#paths.values()) {
      if (this.#running >= AT_A_TIME || this.#unable) return;
      if (path.running || path.due > now) continue;
      path.running = true;
      this.#running++;
      this.#probe(path)
        .catch((error: Error) => this.#cannot(error))
        .finally(() => {
          path.running = false;
          // Not all at one time, the next time; and at once where the settings have changed meanwhile.
          const same = this.#settings.pmtuProbe === pmtuProbe;
          path.due = same ? performance.now() + pmtuProbe * 1000 * (0.9 + 0.2 * Math.random()) : 0;
          this.#fresh = true; // it may have taught the kernel something
          if (--this.#running === 0) this.#echoes.close();
          return this.#tell();
        });
    }
  }

  /** There is no socket to send ICMP from, and will not be. */
  #cannot({ message }: Error): void {
    if (this.#unable) return;
    this.#unable = true;
    this.#parts.log.warn(
      `path MTUs cannot be probed: ${message}; it takes CAP_NET_RAW, or a group in net.ipv4.ping_group_range`,
    );
  }

  async #probe(path: Path): Promise<void> {
    const { address } = path;
    const port: EchoPort = {
      echo: async (size: number) => (this.#closed ? "lost" : this.#echoes.send(address, size)),
      told: () => (this.#closed ? null : this.#routes.ask([address])[0]!),
    };
    const bytes = await probePath(port, LEAST_PATH[this.#parts.family], this.#most);
    if (this.#closed || this.#settings.pmtuProbe === "off") return;
    path.probe = bytes === null ? null : { bytes, at: Date.now() };
  }

  /** Tells the dataplane what has changed. */
  async #tell(): Promise<void> {
    const limits = this.#settings.pmtu === "off" ? [] : this.#limits();
    const text = JSON.stringify(limits);
    if (this.#closed || text === (this.#told || "[]")) return;
    this.#told = text;
    // Where the dataplane has ended, the agent ends.
    await this.#parts.engine.ask({ type: "pathLimits", limits }).catch(() => {});
  }

  #limits(): PathLimit[] {
    const overhead = overlayOverhead(this.#parts.family);
    return [...this.#paths].flatMap(([address, { probe, route }]) => {
      const bytes = Math.min(probe?.bytes ?? this.#needed, route ?? this.#needed);
      return bytes < this.#needed ? [{ address, mtu: Math.max(1, bytes - overhead) }] : [];
    });
  }
}
