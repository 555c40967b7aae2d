import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
import { ASLEEP, AT_ONCE, type HowItEnded, SPINNING, type SpinPolicy } from "../../../src/dataplane/spin.ts";
import { loadShim } from "../../../src/io/linux/shim.ts";
import { openUdp } from "../../../src/io/linux/udp.ts";
import { LinuxWaiter } from "../../../src/io/linux/waiter.ts";
import { udpOptions } from "./sockets.ts";

const shim = loadShim();
const open: number[] = [];

afterEach(() => {
  for (const fd of open.splice(0)) shim.close(fd);
});

/** A waiter whose TAP is an eventfd, readable on signal and always writable; the socket is a real one. */
function makeWaiter(spin?: SpinPolicy) {
  const [tap, wake] = [shim.eventOpen(), shim.eventOpen()];
  const socket = openUdp(udpOptions());
  open.push(tap, wake, socket.fd);
  return { tap, wake, socket, waiter: new LinuxWaiter(tap, { fd: socket.fd }, wake, spin) };
}

/** A policy that spins so long, and remembers what it is told. */
class Remembering implements SpinPolicy {
  readonly budget: number;
  readonly patience: number;
  readonly heard: { how: HowItEnded; micros: number; wanted: boolean }[] = [];

  constructor(budget: number, patience = 2 ** 31 - 1) {
    this.budget = budget;
    this.patience = patience;
  }

  learn(how: HowItEnded, micros: number, wanted: boolean): void {
    this.heard.push({ how, micros, wanted });
  }
}

function milliseconds(run: () => void): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

describe("LinuxWaiter", () => {
  it("sleeps for the time it is given when nothing comes", () => {
    const { waiter } = makeWaiter();
    let answer = false;
    expect(milliseconds(() => (answer = waiter.wait(true, false, true, false, 30)))).toBeGreaterThan(25);
    expect(answer).toBe(true);
  });

  it("ends at once for what is wanted, and only for that", () => {
    const { tap, waiter } = makeWaiter();
    expect(waiter.wait(false, true, false, false, -1)).toBe(true);
    expect(waiter.wait(false, false, false, true, -1)).toBe(true);
    shim.eventSignal(tap);
    expect(waiter.wait(true, false, false, false, -1)).toBe(true);
    expect(milliseconds(() => waiter.wait(false, false, true, false, 30))).toBeGreaterThan(25);
  });

  it("says that it was woken, once per wake-up however often it was signalled", () => {
    const { wake, waiter } = makeWaiter();
    shim.eventSignal(wake);
    shim.eventSignal(wake);
    expect(waiter.wait(true, false, true, false, -1)).toBe(false);
    expect(waiter.wait(true, false, true, false, 0)).toBe(true);
  });

  it("is woken even when there are packets too", () => {
    const { tap, wake, waiter } = makeWaiter();
    shim.eventSignal(tap);
    shim.eventSignal(wake);
    expect(waiter.wait(true, false, true, false, -1)).toBe(false);
  });

  it("is woken by another thread while it sleeps", async () => {
    const { wake, waiter } = makeWaiter();
    const ended = await signalLater(wake, 20);
    expect(waiter.wait(true, false, true, false, 10_000)).toBe(false);
    await ended.done;
  });

  it("leaves a port of which nothing is wanted alone, even one that has failed", () => {
    const { wake, socket } = makeWaiter();
    const neverOpen = 0x7ffffff0;
    const waiter = new LinuxWaiter(neverOpen, { fd: socket.fd }, wake);
    expect(waiter.wait(true, false, false, false, -1)).toBe(true); // POLLNVAL, at once
    expect(milliseconds(() => waiter.wait(false, false, true, false, 30))).toBeGreaterThan(25);
  });

  it("says how a wait ended: at once, or asleep after a spin in vain", () => {
    const spin = new Remembering(3000);
    const { tap, wake, waiter } = makeWaiter(spin);
    shim.eventSignal(tap);
    waiter.wait(true, false, true, false, -1);
    expect(spin.heard).toEqual([{ how: AT_ONCE, micros: expect.any(Number), wanted: false }]);
    shim.eventClear(tap);
    // Nothing comes: there is nothing to learn, however it was waited for.
    expect(milliseconds(() => waiter.wait(true, false, true, false, 0))).toBeGreaterThan(2.9);
    expect(milliseconds(() => waiter.wait(true, false, true, false, 5))).toBeGreaterThan(7.9);
    expect(spin.heard).toHaveLength(1);
    shim.eventSignal(wake);
    expect(waiter.wait(true, false, true, false, -1)).toBe(false);
    expect(spin.heard).toHaveLength(1);
  });

  it.each([
    [10_000_000, 2 ** 31 - 1, SPINNING],
    [0, 2 ** 31 - 1, ASLEEP],
    [1000, 2 ** 31 - 1, ASLEEP],
  ])("with a spin of %i µs meets what another thread sends", async (budget, patience, how) => {
    const spin = new Remembering(budget, patience);
    const { tap, waiter } = makeWaiter(spin);
    const ended = await signalLater(tap, 50);
    waiter.wait(true, false, true, false, 10_000);
    await ended.done;
    expect(spin.heard).toEqual([{ how, micros: expect.any(Number), wanted: false }]);
    expect(spin.heard[0]!.micros).toBeGreaterThan(20_000);
  });

  it("stops to spin when somebody has the CPU for longer than its patience", () => {
    // Everybody is away for longer than −1 µs.
    const spin = new Remembering(10_000_000, -1);
    const { waiter } = makeWaiter(spin);
    expect(milliseconds(() => waiter.wait(true, false, true, false, 20))).toBeLessThan(1000);
  });

  it("a spin is ended by a wake-up", async () => {
    const { wake, waiter } = makeWaiter(new Remembering(10_000_000));
    const ended = await signalLater(wake, 20);
    expect(waiter.wait(true, false, true, false, 10_000)).toBe(false);
    await ended.done;
  });
});

/** Another thread signals an eventfd `ms` after this resolves. */
async function signalLater(fd: number, ms: number): Promise<{ done: Promise<unknown> }> {
  // The word that it sleeps on is nobody's to notify: a thread that has not slept on the first yet would be woken from the second.
  const flag = new Int32Array(new SharedArrayBuffer(8));
  const script = `const { workerData } = require("worker_threads");
    Atomics.wait(workerData.flag, 0, 0);
    Atomics.wait(workerData.flag, 1, 0, workerData.ms);
    require("fs").writeSync(workerData.fd, new Uint8Array(new BigUint64Array([1n]).buffer));`;
  const worker = new Worker(script, { eval: true, workerData: { flag, fd, ms } });
  const done = new Promise((resolve) => worker.once("exit", resolve));
  await new Promise((resolve) => worker.once("online", resolve));
  Atomics.store(flag, 0, 1);
  Atomics.notify(flag, 0);
  return { done };
}
