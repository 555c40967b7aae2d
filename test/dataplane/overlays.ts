/** Several overlays between scripted ports, for the tests of what they share. */
import { Counters } from "../../src/dataplane/counters.ts";
import { Dataplane } from "../../src/dataplane/dataplane.ts";
import { EventRing } from "../../src/dataplane/event-ring.ts";
import type { Offloads } from "../../src/dataplane/offloads.ts";
import type { DataplaneOptions } from "../../src/dataplane/options.ts";
import { type Ring, SEGMENT } from "../../src/dataplane/ring.ts";
import { MAC_A, MAC_B } from "./frames.ts";
import { ScriptedTap, ScriptedUnderlay } from "./ports.ts";
import { OPTIONS } from "./stages.ts";

/** An underlay whose datagrams may be trains: `segments` has the UDP_GRO size of each of `incoming`. */
export class TrainUnderlay extends ScriptedUnderlay {
  readonly segments: number[] = [];

  /** The next receive brings these bytes. */
  bring(bytes: Uint8Array, segment = 0): void {
    this.incoming.push(bytes);
    this.segments.push(segment);
  }

  override recvBatch(ring: Ring, max: number): number {
    const { head } = ring;
    const n = super.recvBatch(ring, max);
    for (let i = 0; i < n; i++) ring.words[ring.row(head + i) + SEGMENT] = this.segments.shift() ?? 0;
    return n;
  }
}

export interface SeveralOptions {
  readonly offloads?: Offloads;
  /** Of each overlay. */
  readonly options?: Partial<DataplaneOptions>;
}

/** A dataplane of an overlay for each VNI, with MAC_A and MAC_B behind one VTEP in each. */
export function several(vnis: readonly number[], { offloads, options = {} }: SeveralOptions = {}) {
  const underlay = new TrainUnderlay();
  const taps = vnis.map(() => new ScriptedTap());
  const of = (vni: number) => ({ ...OPTIONS, ...options, vni, ...(offloads && { offloads }) });
  const others = vnis.slice(1).map((vni, i) => ({
    options: of(vni),
    tap: taps[i + 1]!,
    counters: new Counters(),
    logs: null,
  }));
  /** As epoll names them: whoever has something, going round. */
  let from = 0;
  const ready = (out: Int32Array): number => {
    let n = 0;
    for (let i = 0; i < taps.length && n < out.length; i++) {
      const place = (from + i) % taps.length;
      if (taps[place]!.incoming.length > 0 || taps[place]!.reads.length > 0) out[n++] = place;
    }
    from = (from + 1) % taps.length;
    return n;
  };
  const more = { others, ready: vnis.length > 1 ? { ready } : null };
  const events = new EventRing();
  const rest = [undefined, undefined, events, null, more] as const;
  const dataplane = new Dataplane(of(vnis[0]!), taps[0]!, underlay, ...rest);
  for (const overlay of dataplane.overlays) {
    for (const mac of [MAC_A, MAC_B]) {
      overlay.update({ op: "add", mac, address: Uint8Array.of(172, 19, 0, 3), port: 8472 });
    }
  }
  const counters = dataplane.overlays.map((overlay) => overlay.counters);
  return { underlay, taps, dataplane, loop: dataplane.loop, counters, events };
}
