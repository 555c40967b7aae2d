import { describe, expect, it, vi } from "vitest";
import { driveBlocking } from "../../src/dataplane/drive-blocking.ts";
import { EventDriver } from "../../src/dataplane/drive-events.ts";
import { DROPPED } from "../../src/dataplane/event-ring.ts";
import { NOBODY } from "../../src/fdb/vteps.ts";
import { frame, MAC_A, MAC_B, vxlan } from "./frames.ts";
import { setUp, slotsInUse, tapFrame } from "./ports.ts";
import { droppedOf } from "./stages.ts";

const EIO = 5;
const EBADF = 9;
const EBADFD = 77;
const EHOSTUNREACH = 113;

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
    // by their size: of 4 to 7, of 8 to 15, …
    const sizes = (direction: string, ...from: number[]) =>
      from.map((least) => counters.get(`${direction}Batch${least}` as "txBatch1"));
    expect(counters.get("txReads")).toBe(100);
    expect(sizes("tx", 1, 2, 4, 8, 16, 32, 64)).toEqual([0, 0, 1, 1, 1, 2, 0]);
    expect(sizes("rx", 1, 2, 4, 8)).toEqual([0, 0, 1, 12]);
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

  it("tells which packet a port refused, with what, and where it was to go", () => {
    const { tap, underlay, loop, events } = setUp();
    events.open(0, DROPPED);
    tap.incoming.push(tapFrame(1));
    underlay.writes.push(-EHOSTUNREACH);
    underlay.incoming.push(vxlan(frame({ payload: 2 })));
    tap.writes.push(-EIO);
    loop.turn();
    expect(droppedOf(events)).toMatchObject([
      {
        ...{ direction: "rx", reason: "TAP_REFUSED", errno: EIO, remote: null, header: null },
        ...{ length: frame({ payload: 2 }).length, frame: { source: MAC_A, destination: MAC_B } },
      },
      {
        ...{ direction: "tx", reason: "UNDERLAY_REFUSED", errno: EHOSTUNREACH },
        ...{ remote: { address: "172.19.0.3", port: 8472 }, header: { vni: 1 } },
        ...{ length: frame({ payload: 1 }).length, frame: { source: MAC_A, destination: MAC_B } },
      },
    ]);
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
    dataplane.update({ op: "del", mac, address: new Uint8Array(0), port: 8472 });
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
