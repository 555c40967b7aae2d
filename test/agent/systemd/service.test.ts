import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Notifier } from "../../../src/agent/systemd/notify.ts";
import { Service } from "../../../src/agent/systemd/service.ts";

let said: string[];
let service: Service;
let notReady: string[];
let notAlive: string[];

beforeEach(() => {
  vi.useFakeTimers();
  said = [];
  notReady = [];
  notAlive = [];
});
afterEach(() => {
  service.close();
  vi.useRealTimers();
});

function start(watchdog: number | null = null): void {
  const send = (_: string, bytes: Uint8Array): number =>
    said.push(...Buffer.from(bytes).toString().split("\n"));
  service = new Service(new Notifier("@x", send, () => {}), watchdog);
}

const attach = (): void => service.attach({ ready: async () => notReady, live: async () => notAlive });
const after = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

it("asks for time while it starts, says READY=1 once, when it is ready, and then how it is", async () => {
  start();
  await after(1);
  expect(said).toEqual(["STATUS=is not ready: is starting", "EXTEND_TIMEOUT_USEC=30000000"]);
  await after(10_100);
  expect(said.slice(2)).toEqual(["EXTEND_TIMEOUT_USEC=30000000"]);
  notReady = ["subnet.env is not written"];
  attach();
  await after(100);
  expect(said.slice(3)).toEqual(["STATUS=is not ready: subnet.env is not written"]);
  notReady = [];
  await after(100);
  expect(said.slice(4)).toEqual(["READY=1", "STATUS=forwards"]);
  notReady = ["a is made anew"];
  await after(10_000);
  notReady = [];
  await after(60_000);
  expect(said.slice(6)).toEqual(["STATUS=is not ready: a is made anew", "STATUS=forwards"]);
});

it("feeds the watchdog twice in its time, and only while the threads that move packets answer", async () => {
  start(3000);
  attach();
  await after(4600);
  const dogs = (): number => said.filter((line) => line === "WATCHDOG=1").length;
  expect(dogs()).toBe(3);
  notAlive = ["the dataplane of a does not answer"];
  await after(6000);
  expect(dogs()).toBe(3);
  expect(said).toContain("STATUS=the dataplane of a does not answer");
  notAlive = [];
  await after(1500);
  expect(dogs()).toBe(4);
});

it("tells of a reload, of several at once as of one, and is ready again after the last", async () => {
  start();
  attach();
  await after(1);
  said.length = 0;
  const before = process.hrtime.bigint() / 1000n;
  const [first, second] = [service.reloading(), service.reloading()];
  expect(said.slice(0, 1)).toEqual(["RELOADING=1"]);
  expect(BigInt(said[1]!.replace("MONOTONIC_USEC=", "")) - before).toBeLessThan(1_000_000n);
  await after(20_000);
  first();
  expect(said).not.toContain("READY=1");
  second();
  await after(1);
  expect(said.filter((line) => line === "READY=1")).toHaveLength(1);
  expect(said.at(-1)).toBe("STATUS=forwards");
});

it("that ends says so, and then nothing", async () => {
  start(1000);
  attach();
  await after(1);
  said.length = 0;
  const reloaded = service.reloading();
  service.stopping();
  reloaded();
  await after(60_000);
  expect(said.slice(-2)).toEqual(["STOPPING=1", "STATUS=is about to end"]);
  expect(said.filter((line) => /READY|WATCHDOG/.test(line))).toEqual([]);
});

it("that another process is from now on says which, and then nothing", async () => {
  start(1000);
  attach();
  await after(1);
  said.length = 0;
  service.replaced(4712);
  await after(60_000);
  expect(said).toEqual(["MAINPID=4712"]);
});
