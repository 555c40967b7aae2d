/** CPU time of threads, as the kernel tells it. */
import { expect, it } from "vitest";
import { parseThreadStat, threadTimes } from "../../src/host/threads.ts";

it("a name may hold anything: the times are those behind its last bracket", () => {
  const rest = "S 1 2 3 0 -1 4194560 7750 1447 0 0 250 31 0 0 20 0 12 0 1325733 1689530368";
  expect(parseThreadStat(`4722 (a) (b 1) ${rest}`)).toEqual({ tid: 4722, name: "a) (b 1", seconds: 2.81 });
});

it("who works has more time on a CPU than before", () => {
  const main = () => threadTimes(process.pid).find(({ tid }) => tid === process.pid)!.seconds;
  const before = main();
  const used = process.cpuUsage();
  // By CPU time, not by the clock: a machine may be busy with others.
  while (process.cpuUsage(used).user < 150_000);
  expect(main() - before).toBeGreaterThanOrEqual(0.1);
  expect(threadTimes(process.pid).length).toBeGreaterThan(4);
});

it("a process that is not there has no threads", () => {
  expect(threadTimes(2 ** 22 + 1)).toEqual([]);
});
