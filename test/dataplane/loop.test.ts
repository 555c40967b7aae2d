import { describe, expect, it, vi } from "vitest";
import { Dataplane } from "../../src/dataplane/dataplane.ts";
import { driveBlocking } from "../../src/dataplane/drive-blocking.ts";
import { EventDriver } from "../../src/dataplane/drive-events.ts";
import { everyOffload, type Offloads } from "../../src/dataplane/offloads.ts";
import { NOBODY } from "../../src/fdb/vteps.ts";
import { frame, MAC_A, MAC_B, vxlan } from "./frames.ts";
import { ScriptedTap, ScriptedUnderlay } from "./ports.ts";
import { OWN_MAC } from "./stages.ts";

const TCPV4 = 1;
const EIO = 5;
const EBADF = 9;
const EBADFD = 77;
const EHOSTUNREACH = 113;

function setUp(offloads?: Offloads) {
  const tap = new ScriptedTap();
  const underlay = new ScriptedUnderlay();
  const options = {
    vni: 1,
    mac: OWN_MAC,
    mtu: 1450,
    reservedBits: "rfc",
    senderCheck: "strict",
    tos: 0,
    ...(offloads && { offloads }),
  } as const;
  const dataplane = new Dataplane(options, tap, underlay);
  for (const mac of [MAC_A, MAC_B]) {
    dataplane.update({ op: "add", mac, address: Uint8Array.of(172, 19, 0, 3), port: 8472 });
  }
  const { loop, counters } = dataplane;
  return { tap, underlay, dataplane, loop, counters };
}

/** A frame as the TAP hands it over: a vnet header first. */
function tapFrame(payload = 100): Uint8Array {
  return Uint8Array.from([...new Uint8Array(12), ...frame({ payload })]);
}

function slotsInUse(dataplane: Dataplane): number {
  const { tx, rx } = dataplane.health().slots;
  return tx.count - tx.free + rx.count - rx.free;
}

describe("Loop", () => {
  it("moves frames out and datagrams in, in order, and then has nothing to do", () => {
    const { tap, underlay, loop, dataplane, counters } = setUp();
    for (let i = 0; i < 100; i++) {
      tap.incoming.push(tapFrame(i));
      underlay.incoming.push(vxlan(frame({ payload: i })));
    }
    while (loop.turn() > 0);
    expect(underlay.outgoing).toEqual(Array.from({ length: 100 }, (_, i) => vxlan(frame({ payload: i }))));
    expect(tap.outgoing).toEqual(Array.from({ length: 100 }, (_, i) => frame({ payload: i })));
    expect([counters.get("txFrames"), counters.get("rxFrames"), counters.get("rxDatagrams")]).toEqual([
      100, 100, 100,
    ]);
    // batches of 4, 8, 16 … as long as they come full
    expect([counters.get("txBatches"), counters.get("rxBatches")]).toEqual([5, 13]);
    expect(counters.drops("rx", "SOCKET_RCVBUFF")).toBe(7);
    expect(slotsInUse(dataplane)).toBe(0);
  });

  it("keeps what the underlay does not take, stops reading when all slots wait, and loses nothing", () => {
    const { tap, underlay, loop, dataplane, counters } = setUp();
    for (let i = 0; i < 1000; i++) tap.incoming.push(tapFrame(i));
    underlay.writes.push(...new Array(20).fill(0));
    for (let i = 0; i < 10; i++) loop.turn();
    expect(underlay.outgoing).toEqual([]);
    expect(loop.canReadTap).toBe(false);
    expect(loop.underlayBlocked).toBe(true);
    expect(tap.incoming.length).toBe(1000 - dataplane.health().slots.tx.count);
    expect(counters.get("txBackpressure")).toBe(10);
    while (underlay.outgoing.length < 1000) loop.turn();
    expect(underlay.outgoing.map((bytes) => bytes.length)).toEqual(
      Array.from({ length: 1000 }, (_, i) => vxlan(frame({ payload: i })).length),
    );
    expect(slotsInUse(dataplane)).toBe(0);
  });

  describe("a message that more rows may join", () => {
    /** Frames of which 44 fill a message, read four at a time. */
    function inFours(count: number) {
      const made = setUp();
      const { tap, underlay } = made;
      underlay.capabilities = { ...underlay.capabilities, gso: true };
      for (let i = 0; i < count; i++) tap.incoming.push(tapFrame(1422));
      tap.budget = 4;
      return made;
    }

    it("waits while it is known that there are more", () => {
      const { tap, underlay, loop, dataplane } = inFours(95);
      while (loop.turn() > 0 || !loop.idle);
      expect(tap.incoming).toEqual([]);
      expect(underlay.messages).toEqual([[44], [44], [7]]);
      expect(slotsInUse(dataplane)).toBe(0);
    });

    it("leaves as soon as nothing follows", () => {
      const { underlay, loop } = inFours(10);
      while (!loop.idle) loop.turn();
      expect(underlay.messages).toEqual([[10]]);
      expect(loop.underlayBlocked).toBe(false);
    });

    it("leaves when what follows is dropped, however much that is", () => {
      const { tap, underlay, loop } = inFours(1);
      const nowhere = tapFrame();
      nowhere.set([0x02, 0, 0, 0, 0, 0x0c], 12);
      tap.incoming.push(...Array.from({ length: 400 }, () => nowhere));
      for (let turn = 0; turn < 3; turn++) loop.turn();
      expect(tap.more).toBe(true);
      expect(underlay.messages).toEqual([[1]]);
    });

    it("goes on where it is, when a send took only a part of what waits", () => {
      const { tap, underlay, loop, dataplane } = inFours(60);
      underlay.writes.push(0, 10, 0, 10); // rows that the next sends take
      while (loop.turn() > 0 || !loop.idle || loop.underlayBlocked);
      expect(tap.incoming).toEqual([]);
      expect(underlay.outgoing).toHaveLength(60);
      expect(slotsInUse(dataplane)).toBe(0);
    });

    it("is sent with what is in it when another VTEP's frame comes", () => {
      const { tap, underlay, loop, dataplane } = inFours(10);
      dataplane.update({ op: "replace", mac: MAC_A, address: Uint8Array.of(172, 19, 0, 4), port: 8472 });
      const other = tapFrame(1422);
      other.set([0x02, 0, 0, 0, 0, 0x0a], 12);
      tap.incoming.push(other, ...Array.from({ length: 10 }, () => tapFrame(1422)));
      while (loop.turn() > 0 || !loop.idle);
      expect(underlay.messages.flat()).toEqual([10, 1, 10]);
      expect(slotsInUse(dataplane)).toBe(0);
    });

    it("does not go to whoever gets the index of its VTEP meanwhile", () => {
      const { underlay, loop, dataplane, counters } = inFours(30);
      loop.turn();
      expect(loop.underlayBlocked).toBe(true);
      dataplane.update({ op: "del", mac: MAC_B, address: new Uint8Array(0), port: 0 });
      dataplane.update({ op: "del", mac: MAC_A, address: new Uint8Array(0), port: 0 });
      while (loop.turn() > 0 || !loop.idle);
      expect(underlay.peers).toEqual([NOBODY, NOBODY, NOBODY, NOBODY]);
      expect(counters.drops("tx", "NO_TX_TARGET")).toBe(26);
    });
  });

  it("cuts super-frames into what slots there are, and waits for others, with every byte as it was", () => {
    const input = (): Uint8Array[] =>
      Array.from({ length: 160 }, (_, i) => {
        if (i < 60) return tapFrame(i); // each keeps a slot
        const bytes = Uint8Array.from([
          ...new Uint8Array(12),
          ...frame({ protocol: "tcp", payload: 65_000 }),
        ]);
        bytes.set([1, TCPV4, 54, 0, 1300 & 255, 1300 >> 8, 34, 0, 16, 0]);
        return bytes;
      });
    const run = (blocked: number): Uint8Array[] => {
      const { tap, underlay, loop, dataplane } = setUp(everyOffload(true));
      tap.incoming.push(...input());
      underlay.writes.push(...new Array(blocked).fill(0));
      for (let turn = 0; turn < blocked; turn++) loop.turn();
      while (loop.turn() > 0 || loop.underlayBlocked);
      expect(slotsInUse(dataplane)).toBe(0);
      return underlay.outgoing;
    };
    const [smoothly, blocked] = [run(0), run(100)];
    expect(smoothly).toHaveLength(60 + 100 * 50);
    expect(Buffer.compare(Buffer.concat(smoothly), Buffer.concat(blocked))).toBe(0);
  });

  it("one blocked direction does not stop the other", () => {
    const { tap, underlay, loop } = setUp();
    tap.incoming.push(tapFrame());
    underlay.writes.push(...new Array(100).fill(0));
    underlay.incoming.push(vxlan(frame()));
    loop.turn();
    expect(tap.outgoing).toHaveLength(1);
    expect(loop.underlayBlocked).toBe(true);
  });

  it("counts what a port refuses, keeps its errno, and goes on with the next packet", () => {
    const { tap, underlay, loop, dataplane, counters } = setUp();
    tap.incoming.push(tapFrame(1), tapFrame(2), tapFrame(3));
    underlay.writes.push(1, -EHOSTUNREACH);
    underlay.incoming.push(vxlan(frame({ payload: 1 })), vxlan(frame({ payload: 2 })));
    tap.writes.push(-EIO);
    loop.turn();
    expect(underlay.outgoing).toEqual([vxlan(frame({ payload: 1 })), vxlan(frame({ payload: 3 }))]);
    expect(tap.outgoing).toEqual([frame({ payload: 2 })]);
    expect([counters.drops("tx", "UNDERLAY_REFUSED"), counters.drops("rx", "TAP_REFUSED")]).toEqual([1, 1]);
    expect(dataplane.health().lastRefused).toMatchObject({ tx: { errno: EHOSTUNREACH }, rx: { errno: EIO } });
    expect(slotsInUse(dataplane)).toBe(0);
  });

  it("counts what the underlay took over and could not send after all", () => {
    const { underlay, loop, dataplane, counters } = setUp();
    Object.assign(underlay, { asyncErrors: 3, lastAsyncErrno: EHOSTUNREACH });
    loop.turn();
    loop.turn();
    expect(counters.drops("tx", "UNDERLAY_REFUSED")).toBe(3);
    Object.assign(underlay, { asyncErrors: 4 });
    loop.turn();
    expect(counters.drops("tx", "UNDERLAY_REFUSED")).toBe(4);
    expect(dataplane.health().lastRefused.tx.errno).toBe(EHOSTUNREACH);
  });

  it("ends when a port is gone: the TAP deleted, the socket closed", () => {
    const deleted = setUp();
    deleted.tap.reads.push(-EBADFD);
    deleted.loop.turn();
    expect(deleted.loop.failure).toEqual({ port: "tap", errno: EBADFD });
    const closed = setUp();
    closed.underlay.reads.push(-EBADF);
    closed.loop.turn();
    expect(closed.loop.failure).toEqual({ port: "underlay", errno: EBADF });
  });
});

describe("a datagram that waits", () => {
  it("for a VTEP that is gone is refused, also when somebody else has taken its place", () => {
    const { tap, underlay, loop, dataplane, counters } = setUp();
    const mac = MAC_B;
    const row = (op: "add" | "del", last: number, of: string) =>
      dataplane.update({ op, mac: of, address: Uint8Array.of(10, 0, 0, last), port: 8472 });
    row("del", 0, mac);
    row("add", 1, mac);
    tap.incoming.push(tapFrame());
    underlay.writes.push(0);
    loop.turn();
    row("del", 1, mac);
    row("add", 2, "02:00:00:00:00:77");
    loop.turn();
    expect(underlay.peers).toEqual([NOBODY]);
    expect(counters.get("txFrames")).toBe(1);
  });
});

describe("what the loop says of going on", () => {
  it("is idle when both ports had less than a batch, and not while a stage waits for room that there is", () => {
    const { tap, underlay, loop } = setUp();
    for (let i = 0; i < 4; i++) tap.incoming.push(tapFrame());
    loop.turn();
    expect(loop.idle).toBe(false);
    loop.turn();
    expect(loop.idle).toBe(true);
    for (let i = 0; i < 32; i++) underlay.incoming.push(vxlan(frame()));
    loop.turn();
    expect(loop.idle).toBe(false);
  });

  it("takes a port for gone that fails a thousand times in a row, and not before", () => {
    const { underlay, loop } = setUp();
    underlay.reads.push(...new Array(999).fill(-EIO), 0);
    for (let i = 0; i < 1000; i++) loop.turn();
    expect(loop.failure).toBeUndefined();
    underlay.incoming.push(vxlan(frame()));
    loop.turn();
    underlay.reads.push(...new Array(1000).fill(-EIO));
    for (let i = 0; i < 1000; i++) loop.turn();
    expect(loop.failure).toEqual({ port: "underlay", errno: EIO });
  });
});

describe("Dataplane.update", () => {
  const at = (last: number, op: "add" | "replace" | "del" = "add") =>
    ({ op, mac: "02:00:00:00:00:99", address: Uint8Array.of(172, 19, 0, last), port: 8472 }) as const;

  it("adds, replaces and deletes as `bridge fdb` does, and says why not", () => {
    const { dataplane } = setUp();
    const rows = () => dataplane.rows().filter(({ mac }) => mac === at(1).mac);
    expect(dataplane.update(at(5))).toBeNull();
    expect(dataplane.update(at(6))).toBe("FDB_EXISTS");
    expect(rows()).toEqual([{ mac: at(5).mac, vni: 1, dst: "172.19.0.5", port: 8472, state: "permanent" }]);
    expect(dataplane.update(at(6, "replace"))).toBeNull();
    expect(rows()[0]!.dst).toBe("172.19.0.6");
    expect(dataplane.update({ ...at(0, "del"), address: new Uint8Array(0) })).toBeNull();
    expect(dataplane.update({ ...at(0, "del"), address: new Uint8Array(0) })).toBe("FDB_MISSING");
    expect(rows()).toEqual([]);
  });

  it("refuses an address of the other family, and the row that was there stays", () => {
    const { dataplane } = setUp();
    dataplane.update(at(5));
    expect(dataplane.update({ ...at(5, "replace"), address: new Uint8Array(16) })).toBe("FDB_FAMILY");
    expect(dataplane.rows().find(({ mac }) => mac === at(5).mac)!.dst).toBe("172.19.0.5");
  });

  it("a VTEP is known as a sender as long as a row names it", () => {
    const { dataplane, loop, tap, underlay } = setUp();
    const arrives = (): boolean => {
      underlay.incoming.push(vxlan(frame()));
      loop.turn();
      return tap.outgoing.splice(0).length === 1;
    };
    const gone = (mac: string) => dataplane.update({ op: "del", mac, address: new Uint8Array(0), port: 0 });
    expect(arrives()).toBe(true);
    gone(MAC_A);
    expect(arrives()).toBe(true);
    gone(MAC_B);
    expect(arrives()).toBe(false);
  });
});

describe("a super-frame that nobody asked for", () => {
  it("is dropped, and touches nothing", () => {
    const { tap, underlay, loop, counters } = setUp();
    const inner = frame({ protocol: "tcp", payload: 1000, checksum: "partial" });
    tap.incoming.push(Uint8Array.from([1, 1, 54, 0, 20, 0, 34, 0, 16, 0, 0, 0, ...inner]));
    underlay.incoming.push(vxlan(frame({ payload: 9 })));
    while (loop.turn() > 0);
    expect([underlay.outgoing.length, counters.drops("tx", "TAP_GSO")]).toEqual([0, 1]);
    expect(tap.outgoing).toEqual([frame({ payload: 9 })]);
  });
});

describe("the blocking driver", () => {
  it("reads only what the wait has found to be ready, and the TAP after every write to it", () => {
    const { tap, underlay, loop } = setUp();
    const attention = new Int32Array(new SharedArrayBuffer(4));
    const readTap = vi.spyOn(tap, "readBatch");
    const receive = vi.spyOn(underlay, "recvBatch");
    const reads: [number, number][] = [];
    const script: (() => [boolean, boolean])[] = [
      () => [false, false],
      () => [tap.incoming.push(tapFrame()) > 0, false],
      () => [false, underlay.incoming.push(vxlan(frame())) > 0],
    ];
    const waiter = {
      tapReady: false,
      underlayReady: false,
      wait(): boolean {
        reads.push([readTap.mock.calls.length, receive.mock.calls.length]);
        const next = script.shift();
        if (next === undefined) Atomics.store(attention, 0, 1);
        else [this.tapReady, this.underlayReady] = next();
        return true;
      },
    };
    driveBlocking(loop, waiter, attention, () => false);
    // At start both; then nothing; the TAP alone; the underlay, and the TAP for what the kernel answers.
    expect(reads).toEqual([
      [1, 1],
      [1, 1],
      [2, 1],
      [3, 2],
    ]);
    expect([underlay.outgoing.length, tap.outgoing.length]).toEqual([1, 1]);
  });

  it("sleeps only when nothing moves, waits for what can go on, and obeys control at once", () => {
    const { tap, underlay, loop } = setUp();
    const attention = new Int32Array(new SharedArrayBuffer(4));
    tap.incoming.push(tapFrame());
    underlay.writes.push(0, 0);
    const waits: boolean[][] = [];
    const waiter = {
      tapReady: false,
      underlayReady: false,
      wait(...wanted: [boolean, boolean, boolean, boolean, number]): boolean {
        waits.push(wanted.slice(0, 4) as boolean[]);
        if (waits.length === 3) Atomics.store(attention, 0, 1);
        return waits.length < 3;
      },
    };
    const control = vi.fn(() => false);
    driveBlocking(loop, waiter, attention, control);
    expect(control).toHaveBeenCalledOnce();
    expect(waits[0]).toEqual([true, false, true, true]);
    expect(waits[2]).toEqual([true, false, true, false]);
    expect(underlay.outgoing).toHaveLength(1);
  });

  it("returns when a port is gone, also while the other one is busy", () => {
    const { tap, underlay, loop } = setUp();
    for (let i = 0; i < 100; i++) underlay.incoming.push(vxlan(frame()));
    tap.reads.push(-EBADFD);
    const wait = vi.fn(() => true);
    driveBlocking(
      loop,
      { wait, tapReady: true, underlayReady: true },
      new Int32Array(new SharedArrayBuffer(4)),
      () => true,
    );
    expect(wait).not.toHaveBeenCalled();
  });
});

describe("the event-loop driver", () => {
  const nextImmediate = () => new Promise((resolve) => setImmediate(resolve));

  it("runs when a port wakes it, gives the event loop its share, and rests with the right interests", async () => {
    const { tap, underlay, loop } = setUp();
    const driver = new EventDriver(loop, tap, underlay, () => {});
    driver.start();
    expect([tap.interest, underlay.interest]).toEqual([
      [true, false],
      [true, false],
    ]);
    for (let i = 0; i < 2000; i++) tap.incoming.push(tapFrame());
    tap.wake!();
    expect(underlay.outgoing.length).toBeLessThan(2000);
    while (underlay.outgoing.length < 2000) await nextImmediate();
    underlay.writes.push(0);
    tap.incoming.push(tapFrame());
    tap.wake!();
    expect([underlay.outgoing.length, underlay.interest]).toEqual([2000, [true, true]]);
    underlay.wake!();
    expect([underlay.outgoing.length, underlay.interest]).toEqual([2001, [true, false]]);
    driver.stop();
    expect([tap.wake, underlay.wake]).toEqual([null, null]);
  });

  it("stops and tells when a port is gone", () => {
    const { tap, underlay, loop } = setUp();
    const failed = vi.fn();
    new EventDriver(loop, tap, underlay, failed).start();
    tap.reads.push(-EBADFD);
    tap.wake!();
    expect(failed).toHaveBeenCalledOnce();
    expect(tap.wake).toBeNull();
  });
});
