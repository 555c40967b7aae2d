/** One descriptor for many: which of them can be read. Eventfds stand for the TAPs. */
import { afterEach, describe, expect, it } from "vitest";
import { EpollTaps } from "../../../src/io/linux/epoll-taps.ts";
import { loadShim, POLLIN } from "../../../src/io/linux/shim.ts";

const shim = loadShim();
const open: number[] = [];

afterEach(() => {
  for (const fd of open.splice(0)) shim.close(fd);
});

function events(count: number): { fd: number }[] {
  return Array.from({ length: count }, () => {
    const fd = shim.eventOpen();
    open.push(fd);
    return { fd };
  });
}

function made(count: number) {
  const taps = events(count);
  const epoll = new EpollTaps(taps);
  open.push(epoll.fd);
  const named = (room = 64): number[] => {
    const out = new Int32Array(room).fill(-1);
    return [...out.subarray(0, epoll.ready(out))];
  };
  return { taps, epoll, named };
}

describe("EpollTaps", () => {
  it("names who can be read, as long as they can", () => {
    const { taps, epoll, named } = made(5);
    const set = Int32Array.of(epoll.fd, POLLIN, 0);
    expect(named()).toEqual([]);
    expect(shim.poll(set, 0)).toBe(0);
    shim.eventSignal(taps[3]!.fd);
    shim.eventSignal(taps[1]!.fd);
    expect(named().toSorted()).toEqual([1, 3]);
    expect(named().toSorted()).toEqual([1, 3]);
    expect(shim.poll(set, 0)).toBe(1);
    shim.eventClear(taps[3]!.fd);
    expect(named()).toEqual([1]);
    shim.eventClear(taps[1]!.fd);
    expect(named()).toEqual([]);
    expect(shim.poll(set, 0)).toBe(0);
  });

  it("goes round where more are ready than there is room for", () => {
    const { taps, named } = made(100);
    for (const { fd } of taps) shim.eventSignal(fd);
    expect(named(200)).toHaveLength(64);
    const all = new Set<number>();
    for (let i = 0; i < 12; i++) for (const place of named(10)) all.add(place);
    expect(all.size).toBe(100);
    expect(named(0)).toEqual([]);
  });

  it("says what the kernel refuses", () => {
    const epoll = shim.epollOpen();
    open.push(epoll);
    const [event] = events(1);
    shim.epollAdd(epoll, event!.fd, 0);
    expect(() => shim.epollAdd(epoll, event!.fd, 1)).toThrow(/EEXIST|epoll_ctl/);
    expect(() => shim.epollAdd(epoll, 1_000_000, 1)).toThrow(expect.objectContaining({ code: "EBADF" }));
    expect(() => shim.epollReady(1_000_000, new Int32Array(1))).toThrow(
      expect.objectContaining({ code: "EBADF" }),
    );
    expect(() => shim.epollReady(epoll, new Uint8Array(4) as never)).toThrow(TypeError);
  });
});
