import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";
import { loadShim, POLLIN, POLLOUT } from "../../../src/io/linux/shim.ts";
import { Watching } from "../../../src/io/linux/watching.ts";

const shim = loadShim();
const open: number[] = [];

afterEach(() => {
  for (const fd of open.splice(0)) shim.close(fd);
});

function event(): number {
  const fd = shim.eventOpen();
  open.push(fd);
  return fd;
}

/** Lets the event loop go round `n` times. */
async function turns(n: number): Promise<void> {
  for (let i = 0; i < n; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe("Watching", () => {
  it("wakes for what is wanted, and not otherwise", async () => {
    const fd = event();
    const watching = new Watching(fd);
    let woken = 0;
    watching.setWake(() => woken++);
    await turns(5);
    expect(woken).toBe(0);

    watching.setInterest(true, false);
    await turns(5);
    expect(woken).toBe(0);

    shim.eventSignal(fd);
    await turns(5);
    expect(woken).toBeGreaterThan(0);

    watching.setInterest(false, false);
    const before = woken;
    await turns(5);
    expect(woken).toBe(before);

    shim.eventClear(fd);
    watching.setInterest(false, true); // an eventfd is always writable
    await turns(5);
    expect(woken).toBeGreaterThan(before);
    watching.setWake(null);
  });

  it("wakes nobody after setWake(null), and somebody else after the next setWake", async () => {
    const fd = event();
    shim.eventSignal(fd);
    const watching = new Watching(fd);
    const woken: string[] = [];
    watching.setWake(() => woken.push("first"));
    watching.setInterest(true, false);
    watching.setWake(null);
    watching.setInterest(true, false);
    await turns(3);
    expect(woken).toEqual([]);
    watching.setWake(() => woken.push("second"));
    watching.setInterest(true, false);
    await turns(3);
    watching.setWake(null);
    expect(new Set(woken)).toEqual(new Set(["second"]));
  });
});

describe("watch", () => {
  it("can be stopped in its own callback, twice, and updated afterwards without effect", async () => {
    const fd = event();
    shim.eventSignal(fd);
    const seen: number[] = [];
    const watch = shim.watch(fd, (events) => {
      seen.push(events);
      watch.stop();
      watch.stop();
      watch.update(POLLIN);
    });
    watch.update(POLLIN | POLLOUT);
    await turns(5);
    expect(seen).toEqual([POLLIN | POLLOUT]);
  });

  it("refuses what cannot be watched", () => {
    expect(() => shim.watch(-1, () => {})).toThrow(expect.objectContaining({ code: "EBADF" }));
    expect(() => shim.watch(event(), null as never)).toThrow(TypeError);
    const fd = event();
    const watch = shim.watch(fd, () => {});
    expect(() => watch.update.call({} as never, POLLIN)).toThrow(TypeError);
    watch.stop();
  });

  it("lets a thread end, or be ended, while it watches", async () => {
    const require = `require(${JSON.stringify(fileURLToPath(import.meta.resolve("node-gyp-build")))})`;
    const folder = fileURLToPath(new URL("../../../native-shims", import.meta.url));
    const script = `const shim = ${require}(${JSON.stringify(folder)});
      const { parentPort, workerData } = require("worker_threads");
      const fd = shim.eventOpen();
      shim.eventSignal(fd);
      shim.watch(fd, () => {}).update(1);
      shim.watch(shim.eventOpen(), () => {}).stop();
      parentPort.postMessage("watching");
      if (workerData === "ends") process.exit(7);`;
    const ends = new Worker(script, { eval: true, workerData: "ends" });
    expect(await once(ends, "exit")).toEqual([7]);
    const ended = new Worker(script, { eval: true, workerData: "stays" });
    await once(ended, "message");
    expect(await ended.terminate()).toBe(1);
  });

  it("hands an exception in the callback to the thread, as any other", async () => {
    const require = `require(${JSON.stringify(fileURLToPath(import.meta.resolve("node-gyp-build")))})`;
    const folder = fileURLToPath(new URL("../../../native-shims", import.meta.url));
    const script = `const shim = ${require}(${JSON.stringify(folder)});
      const fd = shim.eventOpen();
      shim.eventSignal(fd);
      shim.watch(fd, () => { throw new TypeError("from the callback"); }).update(1);`;
    const worker = new Worker(script, { eval: true });
    const [error] = await once(worker, "error");
    expect(error).toMatchObject({ name: "TypeError", message: "from the callback" });
  });
});

describe("Watch", () => {
  it("keeps its process alive until it is stopped, unless it is told not to", () => {
    const ends = (say: string): boolean => {
      const script = `
        const shim = require("node-gyp-build")("native-shims");
        const watch = shim.watch(shim.eventOpen(), () => {});
        watch.update(${POLLIN});
        ${say}
        setTimeout(() => { console.log("still there"); process.exit(0); }, 200).unref();
        process.on("exit", () => console.log("end"));`;
      const root = fileURLToPath(new URL("../../..", import.meta.url));
      const { stdout } = spawnSync(process.execPath, ["-e", script], { cwd: root, encoding: "utf8" });
      return stdout === "end\n";
    };
    expect(ends("")).toBe(false);
    expect(ends("watch.stop();")).toBe(true);
    expect(ends("watch.unref();")).toBe(true);
    expect(ends("watch.unref(); watch.stop(); watch.unref();")).toBe(true);
  });
});
