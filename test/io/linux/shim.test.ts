/** The shim's own manners: what it checks before it lets the kernel near any memory. */
import { spawnSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { HEAD_LENGTH, HEAD_OFFSET, LENGTH, OFFSET, PEER, WORDS } from "../../../src/dataplane/ring.ts";
import { loadShim, POLLIN, type UdpSocketOptions } from "../../../src/io/linux/shim.ts";
import { loopbackSlab, udpOptions } from "./sockets.ts";

const shim = loadShim();
const open: number[] = [];

afterEach(() => {
  for (const fd of open.splice(0)) shim.close(fd);
});

function udp(overrides: Partial<UdpSocketOptions> = {}) {
  const socket = shim.udpOpen(udpOptions(overrides));
  open.push(socket.fd);
  return socket;
}

const NO_SENDERS = new Int32Array(0);

/** Descriptor rows over an arena of 1000 bytes; every row names bytes 100 to 199. */
function makeRows(rows = 4) {
  const words = new Int32Array(rows * WORDS);
  for (let i = 0; i < rows; i++) {
    words[i * WORDS + OFFSET] = 100;
    words[i * WORDS + LENGTH] = 100;
  }
  return { arena: new Uint8Array(1000), words, mask: rows - 1 };
}

const OUTSIDE: [string, Record<number, number>][] = [
  ["an offset below 0", { [OFFSET]: -1 }],
  ["a negative length", { [LENGTH]: -1 }],
  ["an end beyond the arena", { [OFFSET]: 901 }],
  ["an end that wraps around", { [OFFSET]: 0x7fffffff, [LENGTH]: 0x7fffffff }],
];
const HEAD_OUTSIDE: [string, Record<number, number>][] = [
  ["a head below 0", { [HEAD_OFFSET]: -8, [HEAD_LENGTH]: 8 }],
  ["a head beyond the arena", { [HEAD_OFFSET]: 993, [HEAD_LENGTH]: 8 }],
  ["a head of negative length", { [HEAD_OFFSET]: 0, [HEAD_LENGTH]: -8 }],
];

describe("a descriptor that points outside the arena", () => {
  const addresses = new Uint8Array(4 * 28);

  function calls() {
    const { fd, port } = udp();
    const slab = loopbackSlab(4, [port]);
    const { arena, words, mask } = makeRows();
    return {
      words,
      read: (count: number) => shim.readBatch(fd, arena, words, mask, 0, count, 1 << 20),
      write: (count: number) => shim.writeBatch(fd, arena, words, mask, 0, count),
      send: (count: number) => shim.sendBatch(fd, arena, words, mask, 0, count, slab, NO_SENDERS, false),
      recv: (count: number) => shim.recvBatch(fd, arena, words, mask, 0, count, addresses),
    };
  }

  it.each(OUTSIDE)("is a RangeError in every call: %s", (_, wrong) => {
    const { words, read, write, send, recv } = calls();
    for (const [word, value] of Object.entries(wrong)) words[Number(word)] = value;
    for (const call of [read, write, send, recv]) expect(() => call(1)).toThrow(RangeError);
  });

  it.each(HEAD_OUTSIDE)("is a RangeError where the head counts: %s", (_, wrong) => {
    const { words, write, send, recv } = calls();
    for (const [word, value] of Object.entries(wrong)) words[Number(word)] = value;
    for (const call of [write, send]) expect(() => call(1)).toThrow(RangeError);
    expect(recv(1)).toBe(0);
  });

  it("ends the batch before it, and is told when it comes first", () => {
    const { words, send, recv } = calls();
    words[2 * WORDS + OFFSET] = 5000;
    expect(send(4)).toBe(2);
    expect(recv(4)).toBe(2);
    words[0 * WORDS + OFFSET] = 5000;
    expect(() => send(4)).toThrow(/outside/);
  });

  it("may be a peer outside the slab", () => {
    const { words, send } = calls();
    for (const peer of [1, -1, 0x7fffffff]) {
      words[PEER] = peer;
      expect(() => send(1)).toThrow(RangeError);
    }
  });

  it("is not one that ends exactly with the arena", () => {
    const { words, send, recv } = calls();
    words[OFFSET] = 900;
    expect(send(1)).toBe(1);
    expect(recv(1)).toBe(1);
  });
});

describe("arguments that make no sense", () => {
  it("are refused before anything happens", () => {
    const { fd, port } = udp();
    const { arena, words } = makeRows();
    const slab = loopbackSlab(4, [port]);
    const send = (mask: number, count: number) =>
      shim.sendBatch(fd, arena, words, mask, 0, count, slab, NO_SENDERS, false);
    for (const mask of [-1, 2, 7, 0x7fffffff]) expect(() => send(mask, 1)).toThrow(RangeError);
    for (const count of [-1, 5]) expect(() => send(3, count)).toThrow(RangeError);
    expect(() => shim.recvBatch(fd, arena, words, 3, 0, 1, new Uint8Array(3 * 28))).toThrow(RangeError);
    expect(() => shim.readBatch(fd, arena, new Uint8Array(32) as never, 3, 0, 1, 1)).toThrow(TypeError);
    expect(() => shim.readBatch("3" as never, arena, words, 3, 0, 1, 1)).toThrow(TypeError);
    expect(() => (shim.readBatch as unknown as () => void)()).toThrow(TypeError);
  });

  it("a detached arena is an empty one", () => {
    const { fd } = udp();
    const { arena, words } = makeRows();
    structuredClone(arena.buffer, { transfer: [arena.buffer] });
    expect(() => shim.readBatch(fd, arena, words, 3, 0, 1, 1)).toThrow(RangeError);
  });

  it.each([
    { family: 5 },
    { port: -1 },
    { port: 65536 },
    { ttl: 256 },
    { receiveBuffer: -1 },
    { address: "10.0.0.300" },
    { family: 6, address: "127.0.0.1" },
    { family: 6, address: "fe80::1%poplin-none" },
    { address: "1".repeat(100) },
  ] as Partial<UdpSocketOptions>[])("udpOpen refuses %o", (overrides) => {
    expect(() => shim.udpOpen(udpOptions(overrides))).toThrow(RangeError);
  });

  it.each([{ family: "4" }, { gro: 1 }, { address: 4 }, { ttl: undefined }])(
    "udpOpen refuses %o",
    (overrides) => {
      expect(() => shim.udpOpen({ ...udpOptions(), ...overrides } as never)).toThrow(TypeError);
    },
  );
});

describe("a filter", () => {
  it("is of whole instructions, at most 4096, of which the last returns", () => {
    const { fd } = udp();
    const all = Uint8Array.of(6, 0, 0, 0, 255, 255, 255, 255);
    shim.attachFilter(fd, all);
    expect(() => shim.attachFilter(fd, all.subarray(1))).toThrow(RangeError);
    expect(() => shim.attachFilter(fd, new Uint8Array(4097 * 8))).toThrow(RangeError);
    for (const program of [new Uint8Array(0), new Uint8Array(8)])
      expect(() => shim.attachFilter(fd, program)).toThrow(expect.objectContaining({ code: "EINVAL" }));
  });
});

describe("linkIndex", () => {
  it("is 0 for a name that no device has, and refuses what is none", () => {
    expect(shim.linkIndex("lo")).toBeGreaterThan(0);
    expect(shim.linkIndex("poplin-none")).toBe(0);
    expect(() => shim.linkIndex("a123456789012345")).toThrow(RangeError);
  });
});

describe("what the kernel refuses", () => {
  it("is an Error with code, errno and syscall", () => {
    expect(() => shim.close(-1)).toThrow(
      expect.objectContaining({
        code: "EBADF",
        errno: 9,
        syscall: "close",
        message: expect.stringContaining("EBADF"),
      }),
    );
  });

  it("is −errno in the hot calls", () => {
    const { arena, words, mask } = makeRows();
    expect(shim.readBatch(-1, arena, words, mask, 0, 1, 1)).toBe(-9);
    expect(shim.writeBatch(-1, arena, words, mask, 0, 1)).toBe(-9);
    expect(shim.sendBatch(-1, arena, words, mask, 0, 1, loopbackSlab(4, [9]), NO_SENDERS, false)).toBe(-9);
    expect(shim.recvBatch(-1, arena, words, mask, 0, 1, new Uint8Array(112))).toBe(-9);
  });
});

describe("every descriptor", () => {
  it("is non-blocking, and not a child's", () => {
    const fds = [udp().fd, udp({ family: 6 }).fd];
    const event = shim.eventOpen();
    const netlink = shim.netlinkOpen(1, 1 << 20);
    open.push(event, netlink);
    for (const fd of [...fds, event, netlink]) {
      const flags = Number.parseInt(
        /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))![1]!,
        8,
      );
      expect(flags & 0o2004000).toBe(0o2004000); // O_CLOEXEC | O_NONBLOCK
    }
    const inChild = spawnSync("ls", ["-l", "/proc/self/fd"], { encoding: "utf8" }).stdout;
    expect(inChild).toContain("0 -> ");
    for (const fd of fds) expect(inChild).not.toContain(readlinkSync(`/proc/self/fd/${fd}`));
  });
});

describe("poll", () => {
  it("reports per row, and passes over negative descriptors", () => {
    const event = shim.eventOpen();
    open.push(event);
    const set = Int32Array.of(-1, POLLIN, 99, event, POLLIN, 99);
    expect(shim.poll(set, 0)).toBe(0);
    expect([...set]).toEqual([-1, POLLIN, 0, event, POLLIN, 0]);
    shim.eventSignal(event);
    shim.eventSignal(event);
    expect(shim.poll(set, -1)).toBe(1);
    expect([...set]).toEqual([-1, POLLIN, 0, event, POLLIN, POLLIN]);
    shim.eventClear(event);
    shim.eventClear(event);
    expect(shim.poll(set, 0)).toBe(0);
  });

  it("takes 16 rows and no more", () => {
    expect(shim.poll(new Int32Array(16 * 3).fill(-1), 0)).toBe(0);
    expect(() => shim.poll(new Int32Array(17 * 3).fill(-1), 0)).toThrow(RangeError);
  });
});
