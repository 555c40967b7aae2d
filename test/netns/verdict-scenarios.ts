/** What `verdicts.test.ts` runs inside a namespace: packets at a kernel's VTEP, beside what is said of Linux. */

import { DropTrace } from "../../src/lab/drop-trace.ts";
import { type Arrival, KernelVtep } from "../../src/lab/whatif/kernel-vtep.ts";
import { Wire } from "../../src/lab/whatif/wire.ts";
import { assign, parseAssignment } from "../../src/teach/assign.ts";
import { EXAMPLES, type ExampleName } from "../../src/teach/examples.ts";
import { explain } from "../../src/teach/explanation.ts";
import { judge, receiverOf } from "../../src/teach/judge/judge.ts";
import type { Judgement, Receiver } from "../../src/teach/judge/judgement.ts";
import { repairChecksums } from "../../src/teach/repair.ts";
import { hex, putU16 } from "../../src/wire/index.ts";
import { fuzzSeconds } from "../helpers/fuzz.ts";

/** How many packets were compared, and of which the kernel does otherwise. */
export interface Compared {
  readonly count: number;
  readonly otherwise: readonly string[];
  /** How often which reason was met. */
  readonly reasons: Readonly<Record<string, number>>;
}

/** Whom the examples are for: node B of the study. */
const NODE_B = {
  underlayMac: "02:42:ac:13:00:03",
  mac: "3e:0b:61:77:6d:02",
  addresses: ["172.19.0.3", "fd00:172:19::3"],
} as const;
const WIRE = {
  mac: NODE_B.underlayMac,
  addresses: [`${NODE_B.addresses[0]}/16`, `${NODE_B.addresses[1]}/64`],
};

/** The name of the trace of a scenario that this process runs: who has started it removes it. */
export function traceOf(pid: number): string {
  return `poplin-${pid}`;
}

/** Whether the kernel did what is said of it. A fragment waits for the others, so nothing is said of it at first. */
function agrees({ fate, reason }: Judgement, kernel: Arrival): boolean {
  if (fate === "in" || kernel.in) return fate === "in" && kernel.in;
  return reason === null || reason === "FRAG_REASM_TIMEOUT" || kernel.reasons.includes(reason);
}

class Comparison {
  count = 0;
  readonly otherwise: string[] = [];
  readonly reasons: Record<string, number> = {};
  readonly #vtep = new KernelVtep(new Wire(WIRE, new DropTrace(traceOf(process.ppid))));
  #receiver: Receiver = { ...receiverOf(explain(EXAMPLES.ping.bytes)), ...NODE_B };

  become(example: ExampleName, changes: Partial<Receiver> = {}): void {
    this.#receiver = { ...receiverOf(explain(EXAMPLES[example].bytes)), ...NODE_B, ...changes };
    this.#vtep.become(this.#receiver, NODE_B.addresses[example === "ipv6" ? 1 : 0]);
  }

  add(what: string, frame: Uint8Array): void {
    const { Linux } = judge(explain(frame), this.#receiver);
    const kernel = this.#vtep.receive(frame);
    this.count++;
    const reason = kernel.in ? "in" : kernel.reasons.join("+");
    this.reasons[reason] = (this.reasons[reason] ?? 0) + 1;
    if (agrees(Linux, kernel)) return;
    this.otherwise.push(
      `${what}: said ${Linux.fate} ${Linux.reason} (${Linux.field}), did ${reason}: ${hex(frame)}`,
    );
  }

  get result(): Compared {
    const { count, otherwise, reasons } = this;
    return { count, otherwise, reasons };
  }
}

function compared(run: (comparison: Comparison) => void): Compared {
  const comparison = new Comparison();
  run(comparison);
  return comparison.result;
}

const NAMES = Object.keys(EXAMPLES) as ExampleName[];

/** The study's ping, with each of its bits flipped, as it is then, and with the checksums put right. */
export function everyBitOfThePing(): Compared {
  return compared((all) => flip(all, "ping"));
}

/** The same of each example. */
export function everyBit(): Compared {
  return compared((all) => {
    for (const name of NAMES) flip(all, name);
  });
}

function flip(all: Comparison, name: ExampleName): void {
  all.become(name, { gbp: name === "gbp" });
  const { bytes } = EXAMPLES[name];
  all.add(name, bytes);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const frame = bytes.slice();
    frame[bit >> 3]! ^= 0x80 >> (bit & 7);
    all.add(`${name}, bit ${bit}`, frame);
    repairChecksums(frame);
    all.add(`${name}, bit ${bit}, repaired`, frame);
  }
}

/** Each example, cut off after each of its bytes, as it is then and with lengths and checksums that say so. */
export function everyLength(): Compared {
  return compared((all) => {
    for (const name of NAMES) {
      all.become(name, { gbp: name === "gbp" });
      const { bytes } = EXAMPLES[name];
      for (let length = 14; length < bytes.length; length++) {
        const frame = bytes.slice(0, length);
        all.add(`${name}, ${length} bytes`, frame);
        all.add(`${name}, honestly ${length} bytes`, honest(frame));
      }
    }
  });
}

/** Every pair of ECN marks, over either family. */
export function everyMark(): Compared {
  return compared((all) => {
    for (const name of ["ping", "ipv6"] as const) {
      all.become(name);
      for (let outer = 0; outer < 4; outer++) {
        for (let inner = 0; inner < 4; inner++) {
          const texts = [`outer.ecn=${outer}`, `inner.ecn=${inner}`];
          all.add(`${name}, ${texts.join(", ")}`, assign(EXAMPLES[name].bytes, texts.map(parseAssignment)));
        }
      }
    }
  });
}

/** Inner source MACs, where they are learned and where not; and a UDP checksum of zero over IPv6. */
export function oddities(): Compared {
  return compared((all) => {
    const sources = [
      "00:00:00:00:00:00",
      "01:00:5e:00:00:01",
      "ff:ff:ff:ff:ff:ff",
      NODE_B.mac,
      "02:00:00:00:00:07",
    ];
    for (const learning of [false, true]) {
      all.become("ping", { learning });
      for (const source of sources) {
        const path = "inner.ethernet.source";
        all.add(`learning ${learning}, ${source}`, assign(EXAMPLES.ping.bytes, [{ path, value: source }]));
      }
    }
    all.become("ipv6");
    all.add("no checksum", assign(EXAMPLES.ipv6.bytes, [{ path: "outer.udp.checksum", value: "0" }]));
  });
}

/** Seconds for which anything is tried. */
export const ANYTHING_SECONDS = fuzzSeconds(5);

/** Random changes to random examples, several at once. @returns as many as fit into the time, after the first thousand */
export function anything(): Compared {
  return compared((all) => {
    const random = randomNumbers(20_261_127);
    const end = performance.now() + ANYTHING_SECONDS * 1000;
    while (all.count < 1000 || performance.now() < end) {
      const name = NAMES[random(NAMES.length)]!;
      all.become(name, { gbp: random(2) === 0, learning: random(2) === 0 });
      for (let i = 0; i < 200; i++) all.add(`${name}, random`, spoilt(EXAMPLES[name].bytes, random));
    }
  });
}

/** Some bytes changed, or the end cut off; half of them with checksums put right, so that more is looked at. */
function spoilt(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  let frame: Uint8Array = bytes.slice();
  for (let changes = random(4); changes >= 0; changes--) {
    // The addresses and headers rather than the data, and rarely the outer destination.
    const at = random(8) === 0 ? random(frame.length) : 12 + random(Math.min(90, frame.length - 12));
    frame[at] = random(3) === 0 ? [0, 1, 4, 5, 6, 8, 17, 255][random(8)]! : random(256);
  }
  if (random(6) === 0) frame = honest(frame.subarray(0, 14 + random(frame.length - 14)));
  if (random(2) === 0) repairChecksums(frame);
  return frame;
}

/** @returns whole numbers below a limit, the same for a seed (mulberry32) */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** The outer lengths as they are, and the checksums over them. */
function honest(frame: Uint8Array): Uint8Array {
  const v6 = frame[12] === 0x86;
  const udpAt = v6 ? 54 : 34;
  const changed = frame.slice();
  if (frame.length < udpAt + 8) return changed;
  putU16(changed, v6 ? 18 : 16, frame.length - (v6 ? 54 : 14));
  putU16(changed, udpAt + 4, frame.length - udpAt);
  repairChecksums(changed);
  return changed;
}
