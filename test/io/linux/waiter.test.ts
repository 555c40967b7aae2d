import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
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
function makeWaiter() {
  const [tap, wake] = [shim.eventOpen(), shim.eventOpen()];
  const socket = openUdp(udpOptions());
  open.push(tap, wake, socket.fd);
  return { tap, wake, socket, waiter: new LinuxWaiter(tap, socket.fd, wake) };
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
    const flag = new Int32Array(new SharedArrayBuffer(4));
    const script = `const { workerData } = require("worker_threads");
      Atomics.wait(workerData.flag, 0, 0);
      require("fs").writeSync(workerData.wake, new Uint8Array(new BigUint64Array([1n]).buffer));`;
    const worker = new Worker(script, { eval: true, workerData: { flag, wake } });
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    await new Promise((resolve) => worker.once("online", resolve));
    Atomics.store(flag, 0, 1);
    Atomics.notify(flag, 0);
    expect(waiter.wait(true, false, true, false, 10_000)).toBe(false);
    await ended;
  });

  it("leaves a port of which nothing is wanted alone, even one that has failed", () => {
    const { wake, socket } = makeWaiter();
    const neverOpen = 0x7ffffff0;
    const waiter = new LinuxWaiter(neverOpen, socket.fd, wake);
    expect(waiter.wait(true, false, false, false, -1)).toBe(true); // POLLNVAL, at once
    expect(milliseconds(() => waiter.wait(false, false, true, false, 30))).toBeGreaterThan(25);
  });
});
