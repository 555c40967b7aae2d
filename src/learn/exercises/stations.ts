/**
 * Three VTEPs in memory that learn and flood, A, B and C, and a station behind each, a, b and c, which knows nothing of
 * all this. What happens stands in a text, a line for each step:
 *
 *   a -> b          a sends b a frame
 *   move b C        b is behind C from now on
 *   static b B      somebody tells A that b is behind B: a row of his own
 *   del b           and takes the row out again
 */
import { Dataplane } from "../../dataplane/dataplane.ts";
import { MemoryNetwork } from "../../io/memory/network.ts";
import { MemoryTap } from "../../io/memory/tap.ts";
import { ETHERNET, encodePacket, formatIpv4, VXLAN_PORT_LINUX } from "../../wire/index.ts";

const VTEPS = ["A", "B", "C"] as const;
type Vtep = (typeof VTEPS)[number];
type Station = "a" | "b" | "c";

/** What a frame met. */
export interface Sent {
  readonly from: Station;
  readonly to: Station;
  /** The VTEPs to which it was sent. */
  readonly vteps: readonly Vtep[];
  readonly arrived: boolean;
  /** Why a VTEP has dropped it. */
  readonly reasons: readonly string[];
}

const MACS: Readonly<Record<Station, number>> = {
  a: 0x02_00_00_00_00_0a,
  b: 0x02_00_00_00_00_0b,
  c: 0x02_00_00_00_00_0c,
};
/** An EtherType for experiments (IEEE 802), and as much data as a frame has at least. */
const LOCAL_EXPERIMENT = 0x88b5;
const DATA = new Uint8Array(46);

const macOf = (station: Station): string => `02:00:00:00:00:0${station}`;
const addressOf = (vtep: Vtep): Uint8Array => Uint8Array.of(172, 19, 0, VTEPS.indexOf(vtep) + 2);

interface Node {
  readonly tap: MemoryTap;
  readonly dataplane: Dataplane;
}

export interface Played {
  readonly sent: readonly Sent[];
  /** What A knows of a station in the end; undefined: nothing. */
  readonly rowOf: (station: Station) => { readonly vtep: Vtep; readonly isLearned: boolean } | undefined;
  /** Where a station is in the end. */
  readonly placeOf: (station: Station) => Vtep;
}

/** What a line can be. */
type Step = "frame" | "move" | "static" | "del";
const ALL: readonly Step[] = ["frame", "move", "static", "del"];

/** @returns what became of it all; a text where a line is none of the steps that there may be, and why */
export function play(text: string, steps = ALL): Played | string {
  const stage = new Stations();
  for (const [i, line] of text.split("\n").entries()) {
    const words = line.replace(/#.*/, "").trim();
    if (words !== "" && !stage.step(words, steps))
      return `line ${i + 1}, "${words}": that is none of the steps there are here.`;
  }
  return stage;
}

class Stations implements Played {
  readonly sent: Sent[] = [];
  readonly #nodes: Readonly<Record<Vtep, Node>>;
  readonly #places: Record<Station, Vtep> = { a: "A", b: "B", c: "C" };

  constructor() {
    const network = new MemoryNetwork();
    const node = (vtep: Vtep): Node => {
      const tap = new MemoryTap({ frames: 16 });
      const underlay = network.attach({ address: addressOf(vtep), port: VXLAN_PORT_LINUX, datagrams: 16 });
      const mac = `02:00:00:00:01:0${VTEPS.indexOf(vtep)}`;
      const options = { vni: 1, mac, mtu: 1450, learning: true, tos: 0 } as const;
      const dataplane = new Dataplane({ ...options, reservedBits: "rfc", senderCheck: "off" }, tap, underlay);
      for (const other of VTEPS.filter((one) => one !== vtep)) {
        const address = addressOf(other);
        dataplane.update({ op: "append", mac: "00:00:00:00:00:00", address, port: VXLAN_PORT_LINUX });
      }
      return { tap, dataplane };
    };
    this.#nodes = { A: node("A"), B: node("B"), C: node("C") };
  }

  /** @returns whether it was one of the steps */
  step(words: string, steps: readonly Step[]): boolean {
    const [kind, first, second] = stepIn(words) ?? [];
    if (kind === undefined || !steps.includes(kind)) return false;
    if (kind === "frame") this.#send(first as Station, second as Station);
    else if (kind === "move") this.#places[first as Station] = second as Vtep;
    else if (kind === "static") this.#tellA("replace", first as Station, second as Vtep);
    else this.#tellA("del", first as Station, "A");
    return true;
  }

  placeOf = (station: Station): Vtep => this.#places[station];

  rowOf = (station: Station): ReturnType<Played["rowOf"]> => {
    const rows = this.#nodes.A.dataplane.overlays[0]!.rows();
    const row = rows.find(({ mac }) => mac === macOf(station));
    if (row === undefined) return undefined;
    const vtep = VTEPS.find((one) => formatIpv4(addressOf(one), 0) === row.dst)!;
    return { vtep, isLearned: row.state === "learned" };
  };

  #tellA(op: "replace" | "del", station: Station, vtep: Vtep): void {
    const address = op === "del" ? new Uint8Array(0) : addressOf(vtep);
    this.#nodes.A.dataplane.update({ op, mac: macOf(station), address, port: VXLAN_PORT_LINUX });
  }

  #send(from: Station, to: Station): void {
    const before = VTEPS.map((vtep) => this.#heard(vtep));
    const source = this.#nodes[this.#places[from]];
    const header = { destination: MACS[to], source: MACS[from], etherType: LOCAL_EXPERIMENT };
    source.tap.inject(encodePacket([[ETHERNET, header]], DATA));
    let arrived = false;
    for (const { dataplane } of [source, ...Object.values(this.#nodes)]) while (dataplane.loop.turn() > 0);
    for (const vtep of VTEPS) {
      while (this.#nodes[vtep].tap.take() !== null) arrived ||= vtep === this.#places[to];
    }
    const after = VTEPS.map((vtep) => this.#heard(vtep));
    const vteps = VTEPS.filter((_, i) => total(after[i]!) > total(before[i]!));
    const reasons = after.flatMap((now, i) =>
      Object.keys(now).filter((reason) => reason !== LET_IN && now[reason] !== (before[i]![reason] ?? 0)),
    );
    this.sent.push({ from, to, vteps, arrived, reasons });
  }

  /** What a VTEP has received: frames that it let in, and those that it dropped, by reason. */
  #heard(vtep: Vtep): Readonly<Record<string, number>> {
    const { rxFrames, drops } = this.#nodes[vtep].dataplane.counters.snapshot();
    return { ...drops.rx, [LET_IN]: rxFrames };
  }
}

const LET_IN = "rxFrames";

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

const STEPS: readonly (readonly [Step, RegExp])[] = [
  ["frame", /^([abc]) *-> *([abc])$/],
  ["move", /^move ([abc]) ([ABC])$/],
  ["static", /^static ([abc]) ([ABC])$/],
  ["del", /^del ([abc])$/],
];

/** @returns the kind of a step, and what it is about; null where it is none */
function stepIn(words: string): [Step, string, string?] | null {
  for (const [kind, form] of STEPS) {
    const found = form.exec(words);
    if (found !== null) return [kind, found[1]!, found[2]];
  }
  return null;
}
