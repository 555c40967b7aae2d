/**
 * What every TAP must do. The clauses know no test runner, because a TAP of the kernel's is held to them in a child
 * process inside a namespace (`test/netns/tap.test.ts`), the one in memory beside the others (`tap.test.ts`).
 */
import assert from "node:assert/strict";
import { FRAME_AT, VNET_AT, VNET_LENGTH } from "../../src/dataplane/arena.ts";
import type { Tap } from "../../src/dataplane/ports.ts";
import { HEAD_LENGTH, LENGTH, OFFSET, SEGMENT, SLOT } from "../../src/dataplane/ring.ts";
import { type Read, Side } from "../io/side.ts";
import { pause, turn, Wakes } from "./node.ts";

/** Milliseconds after which what has not come will not come. */
const PATIENCE = 5_000;
const EBADF = 9;
const EINVAL = 22;
/** Inner frames: an empty one, the shortest and the longest on an Ethernet, and one at an odd length. */
const SIZES = [14, 15, 60, 777, 1514];

/** A TAP, and what is behind it: the pod's side. */
export interface OpenTap {
  readonly tap: Tap;
  /** Sends a frame out of the device: the dataplane reads it. */
  inject(frame: Uint8Array): void;
  /** The frames that the dataplane wrote and nobody has taken yet, oldest first. */
  taken(): Uint8Array[];
}

export type Clause = (open: OpenTap) => Promise<void>;

/** `length` bytes with a number in them: an Ethernet frame between addresses that nobody has, of no known protocol. */
export function frameOf(serial: number, length = 60): Uint8Array {
  const frame = Uint8Array.from({ length }, (_, i) => serial * 31 + i * 7);
  frame.set([0x02, 0, 0, 0, 0, 0xff, 0x02, 0, 0, 0, 0, 0x01, 0x88, 0xb5]); // IEEE 802: local experimental EtherType
  if (length >= 18) new DataView(frame.buffer).setUint32(14, serial);
  return frame;
}

function frameIn({ bytes }: Read): Uint8Array {
  return bytes.subarray(VNET_LENGTH);
}

function same(got: readonly Uint8Array[], expected: readonly Uint8Array[]): void {
  assert.deepEqual(
    got.map((bytes) => Buffer.from(bytes).toString("hex")),
    expected.map((bytes) => Buffer.from(bytes).toString("hex")),
  );
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE;
  while (!condition()) {
    assert.ok(performance.now() < end, what);
    await turn();
  }
}

async function read({ tap }: OpenTap, side: Side, count: number, batch = 64): Promise<Read[]> {
  const reads: Read[] = [];
  await until(`${count} frames did not come`, () => {
    const got = tap.readBatch(side.filled, Math.min(batch, count - reads.length));
    assert.ok(got >= 0, `readBatch: ${got}`);
    reads.push(...side.drain());
    return reads.length === count;
  });
  return reads;
}

/** Readies a frame to be written, its vnet header of zeros apart from it. */
function put(side: Side, frame: Uint8Array): void {
  const bytes = new Uint8Array(VNET_LENGTH + frame.length);
  bytes.set(frame, VNET_LENGTH);
  side.put(bytes, { head: VNET_LENGTH, at: FRAME_AT });
}

async function written(open: OpenTap, count: number): Promise<Uint8Array[]> {
  const frames: Uint8Array[] = [];
  await until(`${count} frames were not written`, () => {
    frames.push(...open.taken());
    return frames.length >= count;
  });
  return frames;
}

export const TAP_CLAUSES: Readonly<Record<string, Clause>> = {
  "reads a frame behind its vnet header, at slot + 4, and fills in the whole row": async (open) => {
    const side = new Side();
    side.filled.words.fill(-1);
    side.filled.bytes.fill(0xa5);
    open.inject(frameOf(1, 99));
    await until("no frame came", () => open.tap.readBatch(side.filled, 8) === 1);
    const [slot, offset, head, segment] = [SLOT, OFFSET, HEAD_LENGTH, SEGMENT].map(
      (w) => side.filled.words[w],
    );
    assert.deepEqual([offset! - slot!, side.filled.words[LENGTH], head, segment], [VNET_AT, 111, 0, 0]);
    const [only] = side.drain();
    same([only!.bytes.subarray(0, VNET_LENGTH)], [new Uint8Array(VNET_LENGTH)]);
    same([frameIn(only!)], [frameOf(1, 99)]);
  },

  "reads frames of every size whole": async (open) => {
    const side = new Side();
    const frames = SIZES.map((size, i) => frameOf(i, size));
    for (const frame of frames) open.inject(frame);
    same((await read(open, side, frames.length)).map(frameIn), frames);
    assert.equal(side.inUse, 0);
  },

  "writes frames of every size whole, vnet header and frame joined": async (open) => {
    const side = new Side();
    const frames = SIZES.map((size, i) => frameOf(i, size));
    for (const frame of frames) put(side, frame);
    assert.equal(open.tap.writeBatch(side.ready), frames.length);
    same(await written(open, frames.length), frames);
    assert.equal(side.inUse, 0);
  },

  "takes the bytes over: the slot may be filled anew at once": async (open) => {
    const side = new Side();
    for (let i = 0; i < 20; i++) put(side, frameOf(i, 500));
    assert.equal(open.tap.writeBatch(side.ready), 20);
    side.ready.bytes.fill(0xff);
    same(
      await written(open, 20),
      Array.from({ length: 20 }, (_, i) => frameOf(i, 500)),
    );
  },

  "keeps the order of a thousand frames each way, across the ring's end and 2^31": async (open) => {
    const side = new Side();
    for (const ring of [side.ready, side.filled]) ring.head = ring.tail = 0x7fffffff - 500;
    const frames = Array.from({ length: 1000 }, (_, i) => frameOf(i, 20 + i));
    for (let next = 0; next < 1000; next += 50) {
      const chunk = frames.slice(next, next + 50);
      for (const frame of chunk) open.inject(frame);
      same((await read(open, side, chunk.length, 1 + (next % 40))).map(frameIn), chunk);
      for (const frame of chunk) put(side, frame);
      await until("frames were not taken", () => {
        const n = open.tap.writeBatch(side.ready);
        assert.ok(n >= 0, `writeBatch: ${n}`);
        return side.ready.length === 0;
      });
      same(await written(open, chunk.length), chunk);
    }
    assert.equal(side.inUse, 0);
  },

  "reads nothing without a free slot or row, and goes on when there is one": async (open) => {
    const side = new Side(4);
    for (let i = 0; i < 8; i++) open.inject(frameOf(i));
    await pause();
    assert.equal(open.tap.readBatch(side.filled, 64), 4);
    assert.equal(open.tap.readBatch(side.filled, 64), 0);
    const first = side.drain();
    const reads = [...first, ...(await read(open, side, 4))];
    same(
      reads.map(frameIn),
      Array.from({ length: 8 }, (_, i) => frameOf(i)),
    );
    assert.equal(side.inUse, 0);
  },

  "reads no more than it is asked for": async (open) => {
    const side = new Side();
    for (let i = 0; i < 10; i++) open.inject(frameOf(i));
    await pause();
    const got = [3, 0, 64, 64].map((max) => open.tap.readBatch(side.filled, max));
    assert.deepEqual(got, [3, 0, 7, 0]);
    assert.equal(side.inUse, 10);
  },

  "refuses the oldest frame with an errno and leaves it; the others go": async (open) => {
    const side = new Side();
    put(side, frameOf(1));
    put(side, new Uint8Array(13)); // no Ethernet header
    put(side, frameOf(2));
    assert.equal(open.tap.writeBatch(side.ready), 1);
    assert.equal(open.tap.writeBatch(side.ready), -EINVAL);
    assert.deepEqual([side.ready.length, side.inUse], [2, 2]);
    side.ready.complete(1);
    assert.equal(open.tap.writeBatch(side.ready), 1);
    same(await written(open, 2), [frameOf(1), frameOf(2)]);
    assert.equal(side.inUse, 0);
  },

  "wakes who waits for frames, again and again while there are some, and nobody else": async (open) => {
    const wakes = new Wakes();
    open.tap.setWake(wakes.wake);
    open.inject(frameOf(1));
    assert.equal(await wakes.during(), 0);
    wakes.busy = true;
    open.tap.setInterest(true, false);
    wakes.busy = false;
    await wakes.next();
    await wakes.next();
    open.tap.setInterest(false, false);
    assert.equal(await wakes.during(), 0);
    open.tap.setInterest(true, false);
    await wakes.next();
    await read(open, new Side(), 1);
    await turn(); // a wake that was on its way
    assert.equal(await wakes.during(), 0);
    wakes.busy = true;
    open.inject(frameOf(2));
    wakes.busy = false;
    await wakes.next();
    assert.equal(wakes.inside, 0);
  },

  "wakes who waits to write while it can, and nobody else": async (open) => {
    const wakes = new Wakes();
    open.tap.setWake(wakes.wake);
    assert.equal(await wakes.during(), 0);
    open.tap.setInterest(false, true);
    await wakes.next();
    await wakes.next();
    open.tap.setInterest(true, false);
    assert.equal(await wakes.during(), 0);
  },

  "wakes nobody after setWake(null), and begins anew with another": async (open) => {
    const [first, second] = [new Wakes(), new Wakes()];
    open.tap.setWake(first.wake);
    open.tap.setInterest(true, true);
    open.tap.setWake(null);
    open.tap.setInterest(true, true);
    open.inject(frameOf(1));
    assert.equal(await first.during(), 0);
    open.tap.setInterest(false, false);
    open.tap.setWake(second.wake);
    open.tap.setInterest(true, false);
    await second.next();
    assert.equal(first.count, 0);
  },

  "is closed once or twice, and touches nothing afterwards": async (open) => {
    const side = new Side();
    const wakes = new Wakes();
    open.tap.setWake(wakes.wake);
    open.tap.setInterest(true, true);
    open.inject(frameOf(1));
    open.tap.close();
    open.tap.close();
    assert.equal(await wakes.during(), 0);
    put(side, frameOf(2));
    assert.equal(open.tap.readBatch(side.filled, 8), -EBADF);
    assert.equal(open.tap.writeBatch(side.ready), -EBADF);
    assert.deepEqual([side.filled.length, side.ready.length], [0, 1]);
    open.tap.setInterest(true, true);
    open.tap.setWake(null);
  },
};
