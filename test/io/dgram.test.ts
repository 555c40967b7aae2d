import { afterEach, describe, expect, it } from "vitest";
import { type DgramOptions, DgramUnderlay } from "../../src/io/dgram.ts";
import { AddressNotLocalError, PortTakenError, SystemCallError } from "../../src/io/linux/errors.ts";
import { slabOf } from "../contract/node.ts";
import { packet, Side } from "./side.ts";

const EACCES = 13;
const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
const BROADCAST = Uint8Array.of(255, 255, 255, 255);
const open: DgramUnderlay[] = [];

afterEach(() => {
  for (const underlay of open.splice(0)) underlay.close();
});

async function openIt(overrides: Partial<DgramOptions> = {}): Promise<DgramUnderlay> {
  const standard = {
    family: 4,
    address: "127.0.0.1",
    port: 0,
    receiveBuffer: 0,
    sendBuffer: 0,
    ttl: 0,
  } as const;
  const underlay = await DgramUnderlay.open({ ...standard, ...overrides });
  open.push(underlay);
  return underlay;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

describe("DgramUnderlay", () => {
  it("says which port it got, and binds the wildcards of both families side by side", async () => {
    const four = await openIt({ address: "" });
    const six = await openIt({ family: 6, address: "", port: four.port });
    expect(six.port).toBe(four.port);
    expect(four.port).toBeGreaterThan(0);
  });

  it("reports the buffers that the kernel reserved, and warns when they are less than asked for", async () => {
    const modest = await openIt({ receiveBuffer: 50_000, sendBuffer: 60_000 });
    expect(modest).toMatchObject({ receiveBuffer: 100_000, sendBuffer: 120_000, warnings: [] });
    const greedy = await openIt({ receiveBuffer: 1 << 30, sendBuffer: 1 << 30 });
    expect(greedy.warnings).toEqual([
      expect.stringMatching(/^SO_RCVBUF: asked for 1073741824 bytes, got \d+; .*rmem_max/),
      expect.stringMatching(/^SO_SNDBUF: asked for 1073741824 bytes, got \d+; .*wmem_max/),
    ]);
  });

  it("names who has the port, and an address that is not ours", async () => {
    const { port } = await openIt();
    const taken = await openIt({ port }).catch((error) => error);
    expect(taken).toBeInstanceOf(PortTakenError);
    expect(taken).toMatchObject({
      code: "POPLIN_PORT_TAKEN",
      errno: 98,
      errnoName: "EADDRINUSE",
      syscall: "bind",
      message: expect.stringContaining(`(pid ${process.pid})`),
    });
    const foreign = await openIt({ address: "203.0.113.1" }).catch((error) => error);
    expect(foreign).toBeInstanceOf(AddressNotLocalError);
    expect(await openIt({ ttl: 300 }).catch((error) => error)).toBeInstanceOf(SystemCallError);
    await expect(openIt({ port: 70_000 })).rejects.toThrow(RangeError);
  });

  it("counts what the kernel refuses after it was taken over", async () => {
    const underlay = await openIt();
    const side = new Side();
    for (let i = 0; i < 3; i++) side.put(packet(i));
    const slab = slabOf({ address: BROADCAST, port: 8472 }); // SO_BROADCAST is not set
    expect(underlay.sendBatch(side.ready, slab)).toBe(3);
    await until(() => underlay.asyncErrors === 3);
    expect(underlay.lastAsyncErrno).toBe(EACCES);
    expect(underlay.overflows()).toBe(0);
  });

  it("counts what comes faster than it is taken, and delivers the rest", async () => {
    const [from, to] = [await openIt(), await openIt()];
    const side = new Side(128, 128);
    const slab = slabOf({ address: LOOPBACK, port: to.port });
    for (let i = 0; i < 1100; ) {
      while (i < 1100 && side.ready.room > 0) side.put(packet(i++, 16));
      await until(() => from.sendBatch(side.ready, slab) >= 0 && side.ready.length === 0);
      // libuv reads 32 datagrams in a turn: let it read them all, so that the kernel drops none.
      for (let turns = 0; turns < 8; turns++) await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => to.overflows() === 76);
    let received = 0;
    for (let got = 1; got > 0; received += got) {
      got = to.recvBatch(side.filled, 64);
      side.drain();
    }
    expect(received).toBe(1024);
  });
});
