/**
 * Learning: a frame that arrives says where its source MAC lives (RFC 7348 section 4.1; `vxlan_snoop` of the kernel).
 *
 *   decap → see → row there, same VTEP     → it is in use
 *                 row there, other VTEP    → it moves, unless it is static: then the frame is dropped
 *                 no row                   → it is learned, unless there are `maxaddress` already
 *
 * A learned VTEP is the sender's address with our own port, whatever port it sends from. Rows that nothing came from for
 * `ageing` seconds go: `age`, which the agent calls once a second, looks at a part of the table each time, so that the
 * largest is gone through within seconds and no packet waits for it.
 *
 * Several workers have a table each. What one learns it tells the others by a log in shared memory (`learn-log.ts`), and
 * that a row is still in use once in an eighth of the ageing time.
 *
 * Nothing is allocated here but when the table grows, and for a VTEP that is new.
 */
import { type Fdb, isGroup } from "../fdb/fdb.ts";
import { ADDRESS_BYTES, writeSockaddr } from "../fdb/sockaddr.ts";
import type { VtepTable } from "../fdb/vteps.ts";
import { type Counters, counterIndex, dropIndex } from "./counters.ts";
import { LearnLog, LearnReader } from "./learn-log.ts";
import { LEARNED_WORDS, type LearnedRows } from "./learned.ts";
import { type Lesson, Lessons } from "./lessons.ts";
import type { DataplaneOptions, LearningPolicy } from "./options.ts";

const MAC_INVALID_SOURCE = dropIndex("rx", "MAC_INVALID_SOURCE");
const VXLAN_ENTRY_EXISTS = dropIndex("rx", "VXLAN_ENTRY_EXISTS");
const LEARNED = counterIndex("fdbLearned");
const MOVED = counterIndex("fdbMoved");
const AGED = counterIndex("fdbAged");
const FULL = counterIndex("fdbFull");

/** Rows that one `age` looks at: some 100 µs. */
const AGE_SLICE = 2 ** 16;

/** What can change while packets flow. */
export interface LearnPolicy extends LearningPolicy {
  readonly senderCheck?: DataplaneOptions["senderCheck"];
}

/** What a learner is told at start. */
export interface LearnOptions extends LearnPolicy {
  readonly vni: number;
  /** UDP port of VTEPs that are learned. */
  readonly port: number;
}

/** The memory by which workers tell each other: the own log, and those of the others. */
export interface LearnLogs {
  readonly own: SharedArrayBuffer;
  readonly others: readonly SharedArrayBuffer[];
}

/** A row of `LearnedRows`. */
type Row = [
  ...[hi: number, lo: number, vtep: number, idle: number, age: number, moved: number],
  ...[moves: number, lesson: number],
];

export class Learner {
  /** Whether anything is learned. */
  on = false;
  readonly #fdb: Fdb;
  readonly #vteps: VtepTable;
  readonly #bytes: Uint8Array;
  readonly #vni: number;
  readonly #port: number;
  readonly #values: Float64Array;
  readonly #release: (vtep: number, learned: boolean) => void;
  readonly #log: LearnLog | null;
  readonly #heard: readonly LearnReader[];
  readonly #startedAt = performance.now();
  /** What others have learned counts only where its sender is known here, too. */
  #strict = false;
  #lessons: Lessons | null = null;
  #ageing = 0;
  #most = 0;
  /** Seconds of use that a row need not be told of. */
  #step = 1;
  /** Learned rows. */
  #count = 0;
  /** Seconds since the start, plus one: 0 is never. As of the last `age`: to ask the clock would allocate. */
  #now = 1;
  #ageFrom = 0;

  /**
   * @param bytes in which frames lie
   * @param release takes a reference to a VTEP back
   */
  constructor(
    fdb: Fdb,
    vteps: VtepTable,
    bytes: Uint8Array,
    options: LearnOptions,
    counters: Counters,
    release: (vtep: number, learned: boolean) => void,
    logs: LearnLogs | null = null,
  ) {
    this.#fdb = fdb;
    this.#vteps = vteps;
    this.#bytes = bytes;
    this.#vni = options.vni;
    this.#port = options.port;
    this.#values = counters.values;
    this.#release = release;
    this.#log = logs === null ? null : new LearnLog(logs.own);
    this.#heard = logs === null ? [] : logs.others.map((shared) => new LearnReader(shared));
    this.setPolicy(options);
  }

  /** Changes what is learned from now on. Rows that there are stay until they are old. */
  setPolicy({ learning, ageing, maxaddress, senderCheck }: LearnPolicy): void {
    this.on = learning;
    this.#strict = senderCheck === "strict";
    this.#ageing = ageing;
    this.#most = maxaddress === 0 ? Number.POSITIVE_INFINITY : maxaddress;
    this.#step = this.#log === null ? 1 : Math.max(1, ageing >> 3);
    if (learning) this.#lessons ??= new Lessons();
  }

  /** Learned rows that there are. */
  get count(): number {
    return this.#count;
  }

  /** Seconds of this clock: the times of learned rows. */
  get now(): number {
    return this.#now;
  }

  /** Takes over what other workers have learned since the last time; where nothing is learned, forgets it. */
  absorb(): void {
    for (let i = 0; i < this.#heard.length; i++) {
      const reader = this.#heard[i]!;
      while (reader.next()) {
        if (!this.on || reader.vni !== this.#vni) continue;
        // He may have been taken out since he was heard.
        if (this.#strict && this.#vteps.findByAddress(reader.sender, 0) < 0) continue;
        this.#place(reader.hi, reader.lo, reader.sender, 0, -1, 0);
      }
    }
  }

  /**
   * A frame came from a MAC.
   * @param addresses holds the sockaddr of who sent it, at `from`
   * @param frame where it is, and its `length`
   * @returns 0, or the counter of the reason to drop it
   */
  see(hi: number, lo: number, addresses: Uint8Array, from: number, frame: number, length: number): number {
    if (isGroup(hi, lo)) return MAC_INVALID_SOURCE;
    return this.#place(hi, lo, addresses, from, frame, length);
  }

  /** @param frame −1 where somebody else has seen it */
  #place(hi: number, lo: number, addresses: Uint8Array, from: number, frame: number, length: number): number {
    const fdb = this.#fdb;
    const i = fdb.find(this.#vni, hi, lo);
    if (i < 0) {
      this.#learn(hi, lo, addresses, from, frame, length);
    } else if (this.#vteps.isAddressOf(fdb.vtepAt(i), addresses, from)) {
      if (this.#now - fdb.usedAt(i) < this.#step || fdb.isStatic(i)) return 0;
      fdb.touch(i, this.#now);
      if (frame >= 0) this.#log?.tell(this.#vni, hi, lo, addresses, from);
    } else if (fdb.isStatic(i)) {
      return VXLAN_ENTRY_EXISTS;
    } else {
      const vtep = this.#vteps.acquireSender(addresses, from, this.#port);
      this.#release(fdb.move(i, vtep, this.#now, this.#record(addresses, from, frame, length)), true);
      if (frame < 0) return 0; // counted where it was seen
      this.#values[MOVED]! += 1;
      this.#log?.tell(this.#vni, hi, lo, addresses, from);
    }
    return 0;
  }

  #learn(hi: number, lo: number, addresses: Uint8Array, from: number, frame: number, length: number): void {
    if (this.#count >= this.#most) {
      this.#values[FULL]! += 1;
      return;
    }
    const vtep = this.#vteps.acquireSender(addresses, from, this.#port);
    const lesson = this.#record(addresses, from, frame, length);
    this.#fdb.learn(this.#vni, hi, lo, vtep, this.#now, lesson);
    this.#count++;
    if (frame < 0) return;
    this.#values[LEARNED]! += 1;
    this.#log?.tell(this.#vni, hi, lo, addresses, from);
  }

  #record(addresses: Uint8Array, from: number, frame: number, length: number): number {
    return frame < 0 ? 0 : this.#lessons!.record(addresses, from, this.#bytes, frame, length);
  }

  /** Takes over rows that were learned elsewhere, with their ages. Where a MAC has a row already, that stays. */
  relearn({ words, vteps, lessons }: LearnedRows): void {
    const sender = new Uint8Array(ADDRESS_BYTES);
    const now = this.#now;
    for (let at = 0; at < words.length; at += LEARNED_WORDS) {
      const [hi, lo, place, idle, age, moved, moves, lesson] = words.subarray(
        at,
        at + LEARNED_WORDS,
      ) as unknown as Row;
      if (this.#fdb.find(this.#vni, hi, lo) >= 0) continue;
      const { address, port } = vteps[place]!;
      const taught = lessons[lesson - 1];
      // Who taught a row is where its MAC is; only his port may be another one.
      writeSockaddr(sender, 0, address, taught?.port ?? port);
      const number = taught === undefined ? 0 : (this.#lessons?.recall(taught, sender) ?? 0);
      this.#fdb.relearn({
        ...{ vni: this.#vni, hi, lo, vtep: this.#vteps.acquireSender(sender, 0, port), moves },
        ...{ used: now - idle, since: now - age, lesson: number },
        // 0 is never.
        moved: moved < 0 ? 0 : now - moved || -1,
      });
      this.#count++;
    }
  }

  /** The packet that a row was learned from, if it is still known. */
  lesson(number: number): Lesson | null {
    return this.#lessons?.describe(number) ?? null;
  }

  /**
   * Looks at the clock, and at the next part of the table, and forgets what has not been in use for too long.
   * @param now milliseconds since the start
   */
  age(now = performance.now() - this.#startedAt): void {
    this.#now = 1 + Math.floor(now / 1000);
    this.absorb();
    if (this.#count === 0 || this.#ageing === 0) return;
    // What is still in use may be told an eighth of the time late.
    const since = this.#now - this.#ageing - (this.#step > 1 ? this.#step : 0);
    this.#ageFrom = this.#fdb.age(this.#ageFrom, AGE_SLICE, since, this.#aged);
  }

  readonly #aged = (vtep: number): void => {
    this.#values[AGED]! += 1;
    this.forgotten(vtep);
  };

  /** A learned row is no more, or is a static one now: this was its VTEP. */
  forgotten(vtep: number): void {
    this.#count--;
    this.#release(vtep, true);
  }
}
